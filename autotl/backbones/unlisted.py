"""Facts of backbones that the catalogue does not list, read from what the user names.

timm describes its own networks; a Hugging Face or local folder is described by its `config.json`. Licences
are stated only where a file states them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autotl.backbones.backbone import BackboneInfo
from autotl.errors import BackboneError, BackboneUnavailableError

#: How a name of an unlisted backbone begins.
LOCAL = "local:"
PREFIXES = ("timm/", "hf:", LOCAL)
_UNSTATED = "other:unstated"
_PERMISSIVE = frozenset({"apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "isc"})
_SPDX = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
}
_LONGEST = 512


def describe(name: str, modality: str, *, offline: bool = False) -> BackboneInfo:
    """The facts of "timm/<id>", "hf:<id>" or "local:PATH[:architecture]".

    Parameters and multiply-accumulates are 0 where they cannot be known without a download.

    Args:
        name: The name.
        modality: Name of its modality.
        offline: Never touch the network.

    Raises:
        BackboneError: The name fits the modality or any network no way.
    """
    if name.startswith("timm/"):
        return _timm(name, modality)
    if name.startswith("hf:"):
        return _huggingface(name, modality, offline)
    return _local(name, modality)


def _timm(name: str, modality: str) -> BackboneInfo:
    architecture = name.removeprefix("timm/")
    if modality != "image":
        raise BackboneError(
            f"timm has no {modality} networks", found=repr(name), expected="hf:ID or local:PATH"
        )
    return _image(name, "timm", name, architecture, {})


def _image(
    name: str, source: str, reference: str, architecture: str, stated: Mapping[str, Any]
) -> BackboneInfo:
    """Facts of a timm architecture; `stated` goes before what timm knows."""
    from timm.models import get_pretrained_cfg

    from autotl.backbones import measure
    from autotl.backbones.build import architecture_of, image_backbone

    probe = BackboneInfo(
        name, "image", source, reference, _UNSTATED, False, 0, 0, {}, extra={"architecture": architecture}
    )
    architecture_of(probe)
    known = get_pretrained_cfg(architecture)
    facts: dict[str, Any] = {**(known.to_dict() if known else {}), **stated}
    licence, commercial = spdx(facts.get("license"))
    size = facts.get("input_size", (3, 224, 224))
    info = replace(
        probe,
        licence=licence,
        commercial=commercial,
        input={
            "size": int(size[-1]),
            "mean": list(facts.get("mean", (0.485, 0.456, 0.406))),
            "std": list(facts.get("std", (0.229, 0.224, 0.225))),
            "filter": facts.get("interpolation", "bicubic"),
            "crop_share": float(facts.get("crop_pct", 0.875)),
            "fixed_size": bool(facts.get("fixed_input_size", False)),
        },
    )
    backbone = image_backbone(info, None)
    return replace(info, parameters=measure.parameters(backbone), macs=measure.macs(backbone))


def spdx(stated: str | None) -> tuple[str, bool]:
    """A licence as SPDX identifier or "other:<name>", and whether it is known to be permissive."""
    if not stated:
        return _UNSTATED, False
    lower = stated.lower()
    return _SPDX.get(lower, f"other:{lower}"), lower in _PERMISSIVE


def _huggingface(name: str, modality: str, offline: bool) -> BackboneInfo:
    from autotl.backbones.hub import fetch

    reference = name.removeprefix("hf:")
    if modality != "text":
        raise BackboneError(
            f"hf: names text encoders, not {modality} networks",
            found=repr(name),
            expected="timm/ID or local:PATH",
        )
    try:
        config = _config(fetch(reference, "config.json", offline=offline))
    except BackboneUnavailableError:
        config = {}  # availability says why it cannot be had
    return _text(name, "huggingface", reference, config)


def _text(name: str, source: str, reference: str, config: Mapping[str, Any]) -> BackboneInfo:
    width = int(config.get("hidden_size", config.get("dim", 0)))
    layers = int(config.get("num_hidden_layers", config.get("n_layers", 0)))
    inner = int(config.get("intermediate_size", config.get("hidden_dim", 4 * width)))
    in_layers = layers * (4 * width * width + 2 * width * inner)
    longest = int(config.get("max_position_embeddings", _LONGEST))
    return BackboneInfo(
        name=name,
        modality="text",
        source=source,
        reference=reference,
        licence=_UNSTATED,
        commercial=False,
        parameters=in_layers + int(config.get("vocab_size", 0)) * width,
        macs=128 * in_layers,
        input={"max_length": min(longest, _LONGEST), "prefix": "", "pooling": "mean"},
    )


def _local(name: str, modality: str) -> BackboneInfo:
    rest = name.removeprefix(LOCAL)
    path, architecture = Path(rest).expanduser(), ""
    if not path.exists() and ":" in rest:
        head, _, architecture = rest.rpartition(":")
        path = Path(head).expanduser()
    if not path.exists():
        raise BackboneError("a local backbone is missing", found=f"nothing at {path}", hint="Check the path.")
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    config = _config(folder / "config.json") if (folder / "config.json").is_file() else {}
    if modality == "text":
        return _text(name, "local", str(path), config)
    architecture = architecture or str(config.get("architecture", ""))
    if not architecture:
        raise BackboneError(
            "cannot tell the architecture of a local image backbone",
            found=repr(name),
            expected="local:PATH:ARCHITECTURE",
            hint=f"For instance: --backbones local:{path}:resnet50",
        )
    return _image(name, "local", str(path), architecture, config.get("pretrained_cfg", {}))


def _config(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BackboneError(f"cannot read {path}", found=str(error), expected="JSON") from error
    if not isinstance(content, dict):
        raise BackboneError(f"cannot read {path}", found=type(content).__name__, expected="a JSON object")
    return content
