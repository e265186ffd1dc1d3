"""timm networks with weights from a hub, safetensors only. `reference` is the hub id, "timm/<id>"."""

from __future__ import annotations

from autotl.backbones.backbone import Availability, Backbone, BackboneInfo
from autotl.backbones.build import image_backbone
from autotl.backbones.checksum import check
from autotl.backbones.hub import fetch
from autotl.backbones.hub_availability import hub_availability


class TimmSource:
    """Image networks of timm's hub repositories."""

    name = "timm"

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Available where the weights are cached or the hub answers."""
        return hub_availability(info.reference, (_file(info),), _revision(info), offline=offline)

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """Fetch, check and cut; without weights nothing is fetched."""
        if not pretrained:
            return image_backbone(info, None)
        from safetensors.torch import load_file

        name = _file(info)
        path = fetch(info.reference, name, revision=_revision(info), offline=offline)
        check(path, info.sha256.get(name), hint=f"Remove {path} and run again.")
        return image_backbone(info, load_file(path))


def _file(info: BackboneInfo) -> str:
    return str(info.extra.get("file", "model.safetensors"))


def _revision(info: BackboneInfo) -> str | None:
    revision = info.extra.get("revision")
    return None if revision is None else str(revision)


SOURCE = TimmSource()
