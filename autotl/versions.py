"""Versions of installed packages, as runs, bundles and caches record them."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable

#: What a serving process runs a bundle with.
SERVING = ("numpy", "onnxruntime", "Pillow", "tokenizers")
#: What the command line and the HTTP server need beside that.
HTTP = ("typer", "rich", "fastapi", "starlette", "uvicorn", "prometheus-client", "python-multipart")
#: What makes one.
TRAINING = ("torch", "timm", "transformers", "peft", "onnx", "optuna", "ray")
#: Other packages that bring the same module.
_BUILDS = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-silicon")
}


def versions(names: Iterable[str] = ("autotl", *SERVING, *TRAINING)) -> dict[str, str]:
    """Versions of those packages that are installed here, by name, and that of Python."""
    found = {"python": platform.python_version()}
    for name in names:
        known = map(_version, (name, *_BUILDS.get(name, ())))
        if (version := next(filter(None, known), None)) is not None:
            found[name] = version
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
