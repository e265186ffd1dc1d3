"""Builds networks from files on disk: timm networks from safetensors, transformers encoders from a folder.

Where the files come from is the business of the sources.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.backbones.backbone import Backbone, BackboneInfo
from autotl.errors import BackboneError, MissingExtraError
from autotl.versions import install_command

if TYPE_CHECKING:
    import torch
    from torch import nn

#: The files of a text encoder.
TEXT_FILES = ("config.json", "tokenizer.json", "model.safetensors")


def require(package: str) -> None:
    """Refuse to go on without a package of the training extra.

    Raises:
        MissingExtraError: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(
            f"backbones need the package {package}", hint=f"Install it: {install_command('train')}"
        )


def image_backbone(info: BackboneInfo, state: Mapping[str, torch.Tensor] | None) -> Backbone:
    """A timm network cut into blocks.

    Args:
        info: Names the architecture in `extra["architecture"]`, else in `reference`.
        state: timm's tensors by name, or None for random weights.

    Raises:
        BackboneError: timm has no such architecture, or a tensor is missing or has another shape.
    """
    from autotl.backbones.image_blocks import cut_image_network

    network: Any = timm_network(info, state)
    network.reset_classifier(0)
    return cut_image_network(info, network)


def timm_network(info: BackboneInfo, state: Mapping[str, torch.Tensor] | None) -> nn.Module:
    """A timm network with the classifier that its weights have.

    timm itself loads the tensors: it renames those of older checkpoints and resamples positions.

    Raises:
        BackboneError: timm has no such architecture, or a tensor is missing or has another shape.
    """
    require("timm")
    import timm

    architecture = architecture_of(info)
    options: dict[str, Any] = {"img_size": int(info.input["size"])} if info.input.get("fixed_size") else {}
    if state is None:
        random: nn.Module = timm.create_model(architecture, pretrained=False, **options)
        return random
    classes = _classes(architecture, state)
    overlay = {"state_dict": dict(state), "num_classes": classes, "custom_load": False, "source": ""}
    try:
        network: Any = timm.create_model(
            architecture, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, **options
        )
    except (RuntimeError, KeyError) as error:
        raise BackboneError(
            f"the weights of {info.name!r} do not fill its network",
            found=str(error).strip().splitlines()[0],
            expected=f"the tensors of timm's {architecture}",
        ) from error
    network.pretrained_cfg = network.default_cfg = {}  # it would keep a second copy of the weights
    return network  # type: ignore[no-any-return]


def architecture_of(info: BackboneInfo) -> str:
    """Timm's name of the network.

    Raises:
        BackboneError: timm has none of that name.
    """
    require("timm")
    import timm

    architecture = str(info.extra.get("architecture") or info.reference)
    if not timm.is_model(architecture):
        raise BackboneError(
            f"cannot build {info.name!r}",
            found=f"architecture {architecture!r}",
            expected="one that timm has",
            hint='List them: python -c "import timm; print(timm.list_models())"',
        )
    return architecture


def _classes(architecture: str, state: Mapping[str, torch.Tensor]) -> int:
    """Rows of the classifier among the tensors; 0 where there is none."""
    from timm.models import get_pretrained_cfg

    facts = get_pretrained_cfg(architecture)
    names = (facts.classifier if facts else None) or ()
    for name in (names,) if isinstance(names, str) else names:
        if f"{name}.weight" in state:
            return int(state[f"{name}.weight"].shape[0])
    return 0


def text_backbone(info: BackboneInfo, folder: Path, *, pretrained: bool) -> Backbone:
    """A transformers encoder cut into blocks.

    Args:
        info: Its facts.
        folder: Holds `TEXT_FILES`; the weights only where `pretrained`.
        pretrained: False for random weights.

    Raises:
        BackboneError: The folder is incomplete, or the weights do not fill the network.
    """
    require("transformers")
    import torch
    from transformers import AutoConfig, AutoModel

    from autotl.backbones.text_blocks import cut_text_network

    check_text_folder(info, folder, pretrained=pretrained)
    with _quiet():
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not pretrained:
            network = AutoModel.from_config(config, trust_remote_code=False, dtype=torch.float32)
        else:
            network, report = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            _check_filled(info, report)
    if getattr(network, "pooler", None) is not None:
        network.pooler = None
    return cut_text_network(info, network, {"tokenizer.json": folder / "tokenizer.json"})


def check_text_folder(info: BackboneInfo, folder: Path, *, pretrained: bool = True) -> None:
    """Refuse a folder that lacks a file of a text encoder.

    Raises:
        BackboneError: It does.
    """
    wanted = TEXT_FILES if pretrained else TEXT_FILES[:2]
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise BackboneError(
            f"{info.name!r} is not a complete text encoder",
            found=f"{folder} without {', '.join(missing)}",
            expected=f"a folder with {', '.join(wanted)}",
            hint="Save it with save_pretrained(folder) of both the model and its fast tokenizer.",
        )


def _check_filled(info: BackboneInfo, report: Mapping[str, Any]) -> None:
    lacking = [key for key in report["missing_keys"] if "pooler" not in key.split(".")]
    wrong = [*lacking, *report.get("mismatched_keys", ())]
    if wrong:
        raise BackboneError(
            f"the weights of {info.name!r} do not fill its network",
            found=f"{len(wrong)} tensors missing or of another shape, {wrong[0]} among them",
            expected="a complete checkpoint",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar and load report; what is wrong is raised, not printed."""
    from transformers.utils import logging as messages

    level, bar = messages.get_verbosity(), messages.is_progress_bar_enabled()
    messages.set_verbosity(logging.ERROR)
    messages.disable_progress_bar()
    try:
        yield
    finally:
        messages.set_verbosity(level)
        if bar:
            messages.enable_progress_bar()
