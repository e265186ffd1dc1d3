"""Weights of the user's: a Hugging Face folder of a text encoder, or timm weights in safetensors.

`reference` is the path of a folder or of a `.safetensors` file; `extra["architecture"]` names timm's network.
"""

from __future__ import annotations

from pathlib import Path

from autotl.backbones.backbone import Availability, Backbone, BackboneInfo
from autotl.backbones.build import architecture_of, image_backbone, text_backbone
from autotl.backbones.checksum import check
from autotl.errors import BackboneError, BackboneUnavailableError


class LocalSource:
    """Files on this machine."""

    name = "local"

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Available where the path exists."""
        path = Path(info.reference)
        if path.exists():
            return Availability(True, f"at {path}")
        return Availability(False, f"nothing at {path}")

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """Build it from the files."""
        path = Path(info.reference)
        if not path.exists():
            raise BackboneUnavailableError(f"cannot load {info.name!r}", found=f"nothing at {path}")
        folder = path if path.is_dir() else path.parent
        for name, expected in info.sha256.items():
            check(folder / name, expected, hint="Restore the file, or correct the recorded sha256.")
        if info.modality == "text":
            return text_backbone(info, folder, pretrained=pretrained)
        architecture_of(info)
        if not pretrained:
            return image_backbone(info, None)
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        weights = weight_file(path)
        try:
            return image_backbone(info, load_file(weights))
        except SafetensorError as error:
            raise BackboneError(
                f"cannot read {weights}", found=str(error), expected="a safetensors file"
            ) from error

    def files(self, info: BackboneInfo) -> list[Path]:
        """The weights alone."""
        return [weight_file(Path(info.reference))]


def weight_file(path: Path) -> Path:
    """The weights at a path: the file itself, or the only `.safetensors` in the folder.

    Raises:
        BackboneError: There is none, or there are several.
    """
    if path.is_file() and path.suffix == ".safetensors":
        return path
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise BackboneError(
            f"cannot tell the weights at {path}",
            found=names,
            expected="one .safetensors file",
            hint="Name the file: --backbones local:PATH/model.safetensors:ARCHITECTURE",
        )
    return found[0]


SOURCE = LocalSource()
