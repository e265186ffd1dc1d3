"""`PreprocessingSpec`: how raw inputs of a modality become network inputs, as plain data.

It is stored in `bundle.json` and is part of every cache key. It knows no image and no text; the modality
that wrote it reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PreprocessingSpec:
    """How raw inputs become network inputs.

    Attributes:
        modality: Name of the modality that reads this.
        options: JSON-ready choices. Images: `size`, `fit` ("squash" or "crop"), `crop_share`, `filter`,
            `draft`. Texts: `max_length`, `prefix`.
        assets: Files that decoding needs, by their name in the bundle (`tokenizer.json`).
    """

    modality: str
    options: Mapping[str, Any]
    assets: Mapping[str, Path] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A stable hash of the options and of the assets' content."""
        digest = hashlib.sha256(json.dumps([self.modality, dict(self.options)], sort_keys=True).encode())
        for name, path in sorted(self.assets.items()):
            digest.update(name.encode() + Path(path).read_bytes())
        return digest.hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; assets by name only."""
        return {
            "modality": self.modality,
            "options": dict(self.options),
            "assets": sorted(self.assets),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], folder: Path) -> PreprocessingSpec:
        """Rebuild a specification whose assets lie in `folder`."""
        assets = {name: folder / name for name in value["assets"]}
        return cls(value["modality"], value["options"], assets)
