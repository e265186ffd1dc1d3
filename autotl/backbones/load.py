"""Backbones by name: what a name means, whether it can be used here, and the network itself.

Sources are found by discovery (`autotl.backbones.sources`, and entry points of that group).
"""

from __future__ import annotations

from typing import cast

from autotl.backbones.backbone import Availability, Backbone, BackboneInfo, Source
from autotl.backbones.catalogue import catalogue
from autotl.backbones.unlisted import PREFIXES, describe
from autotl.errors import BackboneError
from autotl.registry import discover

#: Names at most this far from a mistyped one are offered.
_CLOSE = 0.5


def sources() -> dict[str, Source]:
    """All backbone sources by name."""
    return cast(dict[str, Source], discover("autotl.backbones.sources", "SOURCE"))


def resolve(name: str, modality: str, *, offline: bool = False) -> BackboneInfo:
    """The facts of a backbone.

    Args:
        name: A name of the catalogue, "timm/<id>", "hf:<id>" or "local:PATH[:architecture]".
        modality: Name of its modality.
        offline: Never touch the network.

    Raises:
        BackboneError: There is none of that name; close ones are offered.
    """
    listed = catalogue(modality)
    if name in listed:
        return listed[name]
    for info in listed.values():
        if info.source in ("timm", "huggingface") and info.is_meant_by(name):
            return info
    if name.startswith(PREFIXES):
        return describe(name, modality, offline=offline)
    from difflib import get_close_matches

    close = get_close_matches(name, listed, n=3, cutoff=_CLOSE)
    raise BackboneError(
        f"unknown {modality} backbone",
        found=repr(name),
        expected=f"perhaps {', '.join(close)}" if close else "a name of the catalogue",
        hint="List them with `autotl backbones`, or give timm/ID, hf:ID or local:PATH[:ARCHITECTURE].",
    )


def availability(info: BackboneInfo, *, offline: bool = False) -> Availability:
    """Whether a backbone's weights can be used here and now, and why or why not."""
    source = sources().get(info.source)
    if source is None:
        return Availability(False, f"no source is called {info.source!r}; known: {', '.join(sources())}")
    return source.availability(info, offline=offline)


def load(info: BackboneInfo, *, offline: bool = False, pretrained: bool = True) -> Backbone:
    """Build a backbone, in eval mode, on the CPU, float32.

    Args:
        info: What to load.
        offline: Never touch the network.
        pretrained: False for random initial weights.

    Raises:
        BackboneError: Its source is unknown, or its files are no network.
        BackboneUnavailableError: The weights cannot be reached.
        ChecksumError: A file's sha256 is not the recorded one.
    """
    source = sources().get(info.source)
    if source is None:
        raise BackboneError(
            f"cannot load {info.name!r}", found=f"source {info.source!r}", expected=", ".join(sources())
        )
    return source.load(info, offline=offline, pretrained=pretrained)
