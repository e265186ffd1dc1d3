"""The network of an earlier run's winner, as another run goes on from it.

`reference` is the path of its weights in safetensors, `extra["base"]` the facts of the backbone that it was
made from, which gives architecture and assets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.atomic import replacing
from autotl.backbones.backbone import Availability, Backbone, BackboneInfo
from autotl.errors import BackboneError, BackboneUnavailableError

if TYPE_CHECKING:
    from torch import nn


class FinetunedSource:
    """Weights that a run has fine-tuned."""

    name = "finetuned"

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Available where the weights are, and what they were made from."""
        from autotl.backbones.load import availability

        if not Path(info.reference).is_file():
            return Availability(False, f"nothing at {info.reference}")
        base = availability(_base(info), offline=offline)
        return Availability(True, f"at {info.reference}") if base.available else base

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """The base with the weights put in."""
        from autotl.backbones.load import load

        backbone = load(_base(info), offline=offline, pretrained=False)
        backbone.info = info
        if pretrained:
            _fill(backbone.module, Path(info.reference))
        return backbone

    def files(self, info: BackboneInfo) -> list[Path]:
        """The weights that the run kept."""
        return [Path(info.reference)]


def finetuned(base: BackboneInfo, module: nn.Module, path: Path, name: str) -> BackboneInfo:
    """Keep the weights of a network that was made from a backbone, and beside them the facts of it.

    Args:
        base: The backbone.
        module: The network, of the same architecture.
        path: Where the weights go, a `.safetensors` file.
        name: What the network is called.

    Returns:
        The facts by which it is loaded.

    Raises:
        StorageError: The disk takes no more, or is not writable.
    """
    from autotl.backbones.weights import write_weights

    path.parent.mkdir(parents=True, exist_ok=True)
    write_weights(path, {key: value.detach().cpu().clone() for key, value in module.state_dict().items()})
    info = replace(
        base,
        name=name,
        source=SOURCE.name,
        reference=str(path.absolute()),
        pretraining=f"{base.pretraining}; then fine-tuned by an earlier run",
        sha256={},
        extra={"architecture": base.reference, **base.extra, "base": asdict(base)},
    )
    with replacing(path.with_suffix(".json")) as facts:
        facts.write_text(json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8")
    return _read(path.with_suffix(".json"))


def recorded(path: Path) -> BackboneInfo | None:
    """The facts of a network that `finetuned` kept at a path; None where there is none.

    The folder may have been moved since: `reference` is where the weights are now.

    Raises:
        BackboneError: They are malformed.
    """
    facts = path.with_suffix(".json")
    return replace(_read(facts), reference=str(path.absolute())) if facts.is_file() else None


def _read(facts: Path) -> BackboneInfo:
    try:
        return _info(json.loads(facts.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise BackboneError(f"{facts} is malformed", found=f"{type(error).__name__}: {error}") from error


def _info(value: Mapping[str, Any]) -> BackboneInfo:
    return BackboneInfo(**{**value, "languages": tuple(value["languages"])})


def _base(info: BackboneInfo) -> BackboneInfo:
    return _info(info.extra["base"])


def _fill(module: nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        module.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise BackboneUnavailableError(
            "cannot load a fine-tuned network", found=f"nothing at {path}"
        ) from error
    except (SafetensorError, RuntimeError, OSError) as error:
        raise BackboneError(
            f"the weights at {path} do not fit", found=str(error).splitlines()[0], expected="those of its run"
        ) from error


SOURCE = FinetunedSource()
