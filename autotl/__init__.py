"""autotl: the best deployable model that transfer learning makes of a labelled data set, within a budget.

`AutoTL(time_budget="10m").fit(data)` searches; `load(bundle)` gives a predictor for what a search exported.
Both are imported at first use: neither torch nor a server is touched by `import autotl`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from autotl.automl import AutoTL
    from autotl.serve.predictor import Predictor

__all__ = ["AutoTL", "load", "__version__"]

__version__: str


def load(bundle: str | Path, *, device: str = "cpu") -> Predictor:
    """Open an exported bundle for prediction.

    Args:
        bundle: The bundle's folder, such as `runs/flowers/model`.
        device: "cpu", or "cuda" for an NVIDIA GPU, for which onnxruntime-gpu must be installed.

    Returns:
        A predictor: `load("runs/flowers/model").predict(["a.jpg"])`.

    Raises:
        BundleError: The bundle is missing, incomplete, or was changed.
        MissingExtraError: The installed ONNX Runtime cannot run on the device.
    """
    from autotl.serve.predictor import Predictor

    return Predictor(bundle, device=device)


def __getattr__(name: str) -> Any:
    if name == "AutoTL":
        from autotl.automl import AutoTL

        return AutoTL
    if name == "__version__":
        from importlib.metadata import version

        return version("autotl")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
