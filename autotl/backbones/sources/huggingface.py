"""transformers text encoders from a hub, safetensors and fast tokenizers only. `reference` is the hub id."""

from __future__ import annotations

from autotl.backbones.backbone import Availability, Backbone, BackboneInfo
from autotl.backbones.build import TEXT_FILES, text_backbone
from autotl.backbones.checksum import check
from autotl.backbones.hub import fetch
from autotl.backbones.hub_availability import hub_availability


class HuggingFaceSource:
    """Encoders that `transformers.AutoModel` builds without remote code."""

    name = "huggingface"

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Available where all files are cached or the hub answers."""
        return hub_availability(info.reference, TEXT_FILES, _revision(info), offline=offline)

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """Fetch, check and cut; without weights only the configuration and the tokenizer are fetched."""
        wanted = TEXT_FILES if pretrained else TEXT_FILES[:2]
        for name in wanted:
            path = fetch(info.reference, name, revision=_revision(info), offline=offline)
            check(path, info.sha256.get(name), hint=f"Remove {path} and run again.")
        return text_backbone(info, path.parent, pretrained=pretrained)


def _revision(info: BackboneInfo) -> str | None:
    revision = info.extra.get("revision")
    return None if revision is None else str(revision)


SOURCE = HuggingFaceSource()
