"""Cuts timm image networks into blocks by their structure.

A family says which attributes hold the stem, the stages and what follows them. It is chosen because the
network has those attributes and because the blocks then reproduce the network's own output, never by the
network's name. A network that fits no family is one block. Knows nothing of sources and weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn

from autotl.backbones.backbone import BackboneInfo, Batch
from autotl.backbones.network import BlockBackbone, Pooling, pool_first, pool_map

#: Largest relative difference from the network's own output at which a family is accepted.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Family:
    """Where a kind of convolutional network keeps its parts.

    Attributes:
        stem: Modules applied to the pixels, in order.
        stages: Attributes whose children (or themselves) are the blocks, in order.
        after: Modules applied after the stages and before `forward_head`.
    """

    stem: tuple[str, ...]
    stages: tuple[str, ...]
    after: tuple[str, ...] = ()

    def fits(self, network: nn.Module) -> bool:
        """Whether the network has every part."""
        return all(
            isinstance(getattr(network, name, None), nn.Module)
            for name in (*self.stem, *self.stages, *self.after)
        )


_FAMILIES = (
    Family(("conv_stem", "bn1"), ("blocks",), ("conv_head", "bn2")),  # EfficientNet
    Family(("conv_stem", "bn1"), ("blocks",)),  # MobileNetV3, MobileNetV4: the head follows the pooling
    Family(("conv1", "bn1", "act1", "maxpool"), ("layer1", "layer2", "layer3", "layer4")),  # ResNet
    Family(("stem",), ("stages",), ("norm_pre",)),  # ConvNeXt
    Family(("stem",), ("stages",), ("norm",)),  # pre-activation ResNet
    Family(("stem",), ("stages",), ("final_conv",)),  # FastViT
    Family(("stem",), ("stages",)),  # EfficientViT (MIT), RepViT
    Family(("patch_embed",), ("stages",)),  # EfficientViT (MSRA), TinyViT
    Family(("stem",), ("s1", "s2", "s3", "s4"), ("final_conv",)),  # RegNet
)


def normalise(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Pixels (B, H, W, 3) uint8 as standardised channels (B, 3, H, W) float32."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _part(network: nn.Module, keep: Iterable[str], *, own: bool = False) -> Any:
    """A shallow copy of a network with the children named in `keep`, sharing their weights.

    Args:
        network: The whole network.
        keep: Names of children.
        own: Whether parameters and buffers that belong to no child go along.
    """
    part = copy.copy(network)
    children = {name: network._modules[name] for name in keep if name in network._modules}
    part.__dict__["_modules"] = children
    part.__dict__["_parameters"] = dict(network._parameters) if own else {}
    part.__dict__["_buffers"] = dict(network._buffers) if own else {}
    return part


class _Stem(nn.Module):
    """Pixels to the input of the first stage."""

    def __init__(self, info: BackboneInfo, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(modules)
        for name in ("mean", "std"):
            values = torch.tensor(info.input[name], dtype=torch.float32).reshape(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, batch: Batch) -> Batch:
        states = normalise(batch["pixels"], self.get_buffer("mean"), self.get_buffer("std"))
        for layer in self.layers:
            states = layer(states)
        return {"hidden": states}


class _Stage(nn.Module):
    """One stage of a convolutional network."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, batch: Batch) -> Batch:
        return {"hidden": self.stage(batch["hidden"])}


class _Finish(nn.Module):
    """What follows the last stage, down to the embedding: (B, F, 1, 1), or one token (B, 1, F)."""

    def __init__(self, network: nn.Module, after: tuple[str, ...], used: set[str], *, token: bool) -> None:
        super().__init__()
        self.after = after
        self.token = token
        self.part = _part(network, [name for name in network._modules if name not in used])

    def forward(self, batch: Batch) -> Batch:
        states = batch["hidden"]
        for name in self.after:
            states = getattr(self.part, name)(states)
        embedding: Tensor = self.part.forward_head(states, pre_logits=True)
        return {"hidden": embedding.unsqueeze(1) if self.token else embedding.flatten(1)[:, :, None, None]}

    @property
    def learns(self) -> bool:
        """Whether it holds weights beside those of norms."""
        return any(weight.ndim > 1 for weight in self.parameters())


class _WithFinish(nn.Module):
    """The last stage together with a finish that has nothing but norms to learn."""

    def __init__(self, stage: nn.Module, finish: nn.Module) -> None:
        super().__init__()
        self.stage = stage
        self.finish = finish

    def forward(self, batch: Batch) -> Batch:
        states: Batch = self.finish(self.stage(batch))
        return states


class _TokenStem(nn.Module):
    """Pixels to patch tokens with positions: (B, T, D), class and register tokens first."""

    def __init__(self, info: BackboneInfo, part: Any) -> None:
        super().__init__()
        self.part = part
        for name in ("mean", "std"):
            values = torch.tensor(info.input[name], dtype=torch.float32).reshape(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, batch: Batch) -> Batch:
        states = normalise(batch["pixels"], self.get_buffer("mean"), self.get_buffer("std"))
        states = self.part._pos_embed(self.part.patch_embed(states))
        if isinstance(states, tuple):  # with rotary positions, which every layer asks for itself
            states = states[0]
        elif self.part._modules.get("patch_drop") is not None:
            states = self.part.patch_drop(states)
        return {"hidden": self.part.norm_pre(states)}


class _TokenLayer(nn.Module):
    """One transformer layer of an image network."""

    def __init__(self, layer: nn.Module, rope: nn.Module | None, prefix: int) -> None:
        super().__init__()
        self.layer = layer
        # In a tuple, so that the shared positions stay the stem's and are not registered again.
        self._rope = (rope,)
        self._prefix = prefix

    def forward(self, batch: Batch) -> Batch:
        states, rope = batch["hidden"], cast(Any, self._rope[0])
        if rope is None:
            return {"hidden": self.layer(states)}
        side = math.isqrt(int(states.shape[1]) - self._prefix)
        return {"hidden": self.layer(states, rope=rope.get_embed(shape=(side, side)))}


class _Whole(nn.Module):
    """A network that fits no family, as one block."""

    def __init__(self, info: BackboneInfo, network: nn.Module) -> None:
        super().__init__()
        self.stem = _Stem(info, [network])

    def forward(self, batch: Batch) -> Batch:
        return {"hidden": self.stem(batch)["hidden"].flatten(1)[:, :, None, None]}


class _TokenPooling:
    """Class token, or mean of the patch tokens, of hidden tokens (B, T, D)."""

    def __init__(self, network: Any) -> None:
        self.prefix = int(network.num_prefix_tokens)
        self.first = network.global_pool == "token"

    def __call__(self, hidden: Batch, depth: int, total: int) -> Tensor:
        if self.first or depth == total:
            return pool_first(hidden, depth, total)
        return hidden["hidden"][:, self.prefix :].mean(dim=1)


def _cut_stages(info: BackboneInfo, network: nn.Module, family: Family) -> tuple[list[nn.Module], Pooling]:
    blocks: list[nn.Module] = [_Stem(info, [network.get_submodule(name) for name in family.stem])]
    for name in family.stages:
        stage = network.get_submodule(name)
        single = len(family.stages) > 1
        blocks += [_Stage(child) for child in ([stage] if single else stage.children())]
    finish = _Finish(network, family.after, {*family.stem, *family.stages}, token=False)
    blocks += [finish] if finish.learns else [_WithFinish(blocks.pop(), finish)]
    return blocks, pool_map


_TOKEN_STEM = ("patch_embed", "pos_drop", "patch_drop", "rope", "norm_pre")


def _cut_tokens(info: BackboneInfo, network: nn.Module) -> tuple[list[nn.Module], Pooling]:
    rope = network._modules.get("rope")
    layers = list(network.get_submodule("blocks").children())
    blocks: list[nn.Module] = [_TokenStem(info, _part(network, _TOKEN_STEM, own=True))]
    prefix = int(cast(Any, network).num_prefix_tokens)
    blocks += [_TokenLayer(layer, rope, prefix) for layer in layers]
    finish = _Finish(network, ("norm",), {*_TOKEN_STEM, "blocks"}, token=True)
    blocks += [finish] if finish.learns else [_WithFinish(blocks.pop(), finish)]
    return blocks, _TokenPooling(network)


def _candidates(info: BackboneInfo, network: nn.Module) -> Iterable[tuple[list[nn.Module], Pooling]]:
    if hasattr(network, "_pos_embed") and hasattr(network, "num_prefix_tokens") and hasattr(network, "norm"):
        yield _cut_tokens(info, network)
    if hasattr(network, "forward_head"):
        for family in _FAMILIES:
            if family.fits(network):
                yield _cut_stages(info, network, family)
    yield [_Whole(info, network)], pool_map


def _owns_all(network: nn.Module, blocks: Sequence[nn.Module]) -> bool:
    held = [id(weight) for weight in chain.from_iterable(block.parameters() for block in blocks)]
    return len(held) == len(set(held)) and set(held) == {id(weight) for weight in network.parameters()}


def cut_image_network(info: BackboneInfo, network: nn.Module) -> BlockBackbone:
    """Cut a timm network without classifier (`num_classes=0`) into blocks.

    Args:
        info: Its facts; `input` gives size, mean and standard deviation.
        network: The network; its weights are shared with the blocks. Put into eval mode.

    Returns:
        A backbone whose output is that of `network`, in blocks where a family reproduces it, else in one.
    """
    network.eval()
    size = int(info.input["size"])
    noise = torch.rand(1, size, size, 3, generator=torch.Generator().manual_seed(0))
    example = {"pixels": (noise * 255).to(torch.uint8)}
    with torch.inference_mode():
        wanted = _Whole(info, network)(example)["hidden"].flatten(1)
    blocks, pooling = next(
        (blocks, pooling)
        for blocks, pooling in _candidates(info, network)
        if _reproduces(network, blocks, example, wanted)
    )
    return BlockBackbone(info, blocks, pooling, example)


def _reproduces(network: nn.Module, blocks: Sequence[nn.Module], example: Batch, wanted: Tensor) -> bool:
    """Whether the blocks own every weight once and give the wanted embedding; true of one block for all."""
    if len(blocks) == 1:
        return True
    if not _owns_all(network, blocks):
        return False
    with torch.inference_mode():
        found = _output(blocks, example)
    if found is None or found.shape != wanted.shape:
        return False
    gap = float((found - wanted).abs().max())
    return gap <= _TOLERANCE * max(float(wanted.abs().max()), 1e-6)


def _output(blocks: Sequence[nn.Module], batch: Batch) -> Tensor | None:
    """The embedding (B, F) that a chain of blocks gives; None where the parts do not fit together."""
    try:
        for block in blocks:
            batch = block.eval()(batch)
    except (RuntimeError, TypeError, AttributeError):
        return None
    return batch["hidden"].flatten(1)
