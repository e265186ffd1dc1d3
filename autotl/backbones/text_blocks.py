"""Cuts transformers text encoders into blocks by their structure: embeddings first, then layer by layer.

Attention masks and relative positions are built with plain operations, so that every part can be traced.
A network is cut by the attributes it has, and only if the blocks reproduce its own output; else it is one
block. Knows nothing of sources and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autotl.backbones.backbone import BackboneInfo, Batch
from autotl.backbones.network import BlockBackbone, Pooling, pool_first, pool_mean
from autotl.errors import BackboneError

_TOLERANCE = 1e-3
_POOLINGS: dict[str, Pooling] = {"mean": pool_mean, "cls": pool_first}


def additive_mask(batch: Batch) -> Tensor:
    """Attention mask (B, 1, 1, T) to add to scores: 0 at tokens, the lowest number at padding."""
    states = batch["hidden"]
    keep = batch["attention_mask"][:, None, None, :].to(states.dtype)
    return (1 - keep) * torch.finfo(states.dtype).min


class _Embeddings(nn.Module):
    """Token ids to states. Also owns the weights that all layers share (relative positions)."""

    def __init__(self, embeddings: nn.Module, shared: Mapping[str, nn.Module], *, masked: bool) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.shared = nn.ModuleDict(dict(shared))
        self.masked = masked

    def forward(self, batch: Batch) -> Batch:
        mask = batch["attention_mask"]
        extra = {"mask": mask} if self.masked else {}
        return {"hidden": self.embeddings(input_ids=batch["input_ids"], **extra), "attention_mask": mask}


class _Layer(nn.Module):
    """One transformer layer; `extra` gives what it needs beside states and mask.

    What is shared with other layers hides in `extra`, so that it is registered only once, in block 0.
    """

    def __init__(self, layer: nn.Module, extra: _Extra, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.norm = norm
        self._extra = (extra,)

    def forward(self, batch: Batch) -> Batch:
        states = self.layer(batch["hidden"], **self._extra[0](self.layer, batch))
        if isinstance(states, tuple):
            states = states[0]
        if self.norm is not None:
            states = self.norm(states)
        return {"hidden": states, "attention_mask": batch["attention_mask"]}


class _Whole(nn.Module):
    """An encoder that fits no structure, as one block."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> Batch:
        output: Any = self.network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return {"hidden": output.last_hidden_state, "attention_mask": batch["attention_mask"]}


_Extra = Callable[[Any, Batch], dict[str, Any]]


def _plain(layer: Any, batch: Batch) -> dict[str, Any]:
    return {"attention_mask": additive_mask(batch)}


class _Biased:
    """Relative position bias shared by all layers (MPNet)."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def __call__(self, layer: Any, batch: Batch) -> dict[str, Any]:
        bias = self.encoder.compute_position_bias(batch["hidden"])
        return {"attention_mask": additive_mask(batch), "position_bias": bias}


class _Disentangled:
    """Relative position embeddings shared by all layers (DeBERTa)."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def __call__(self, layer: Any, batch: Batch) -> dict[str, Any]:
        return {
            "attention_mask": self.encoder.get_attention_mask(batch["attention_mask"]),
            "relative_pos": self.encoder.get_rel_pos(batch["hidden"]),
            "rel_embeddings": self.encoder.get_rel_embedding(),
        }


class _Rotary:
    """Rotary positions; some layers see a window of neighbours only (ModernBERT)."""

    def __init__(self, network: Any) -> None:
        self.rotary = network.rotary_emb
        self.window = int(network.config.sliding_window)

    def __call__(self, layer: Any, batch: Batch) -> dict[str, Any]:
        states = batch["hidden"]
        places = torch.arange(states.shape[1], device=states.device)
        mask = additive_mask(batch)
        if layer.attention_type == "sliding_attention":
            far = (places[None, :] - places[:, None]).abs() > self.window
            lowest = torch.finfo(states.dtype).min
            mask = torch.clamp(mask + far.to(states.dtype)[None, None] * lowest, min=lowest)
        positions = self.rotary(states, places.unsqueeze(0), layer.attention_type)
        return {"attention_mask": mask, "position_embeddings": positions}


def _layers(network: Any) -> list[nn.Module]:
    """The transformer layers, wherever the network keeps them; none if it is built otherwise."""
    for path in ("encoder.layer", "transformer.layer", "layers"):
        holder: Any = network
        for name in path.split("."):
            holder = getattr(holder, name, None)
        if isinstance(holder, nn.ModuleList):
            return list(holder)
    return []


def _cut(network: Any) -> list[nn.Module]:
    layers = _layers(network)
    if not layers or not isinstance(getattr(network, "embeddings", None), nn.Module):
        return [_Whole(network)]
    encoder: Any = getattr(network, "encoder", None)
    extra: _Extra = _plain
    shared: dict[str, nn.Module] = {}
    masked, norm = False, None
    if hasattr(network, "rotary_emb"):
        extra, shared, norm = _Rotary(network), {"rotary": network.rotary_emb}, network.final_norm
    elif hasattr(encoder, "relative_attention_bias"):
        extra, shared = _Biased(encoder), {"bias": encoder.relative_attention_bias}
    elif hasattr(encoder, "get_rel_embedding"):
        extra, masked = _Disentangled(encoder), True
        owned = {name: module for name, module in encoder.named_children() if name != "layer"}
        shared = {f"encoder_{name}": module for name, module in owned.items()}
    blocks: list[nn.Module] = [_Embeddings(network.embeddings, shared, masked=masked)]
    blocks += [_Layer(layer, extra) for layer in layers[:-1]]
    return [*blocks, _Layer(layers[-1], extra, norm)]


def cut_text_network(info: BackboneInfo, network: nn.Module, assets: Mapping[str, Path]) -> BlockBackbone:
    """Cut a transformers base model without pooling layer into blocks.

    Args:
        info: Its facts; `input` gives the pooling, "mean" or "cls".
        network: The model; its weights are shared with the blocks. Put into eval mode.
        assets: The files that decoding needs, `tokenizer.json` among them.

    Returns:
        A backbone whose token states are those of `network`.

    Raises:
        BackboneError: The pooling is none that is known.
    """
    pooling = str(info.input.get("pooling", "mean"))
    if pooling not in _POOLINGS:
        raise BackboneError(
            f"cannot pool the tokens of {info.name!r}", found=repr(pooling), expected=" or ".join(_POOLINGS)
        )
    network.eval()
    ids = torch.arange(24).reshape(2, 12) % 7 + 5
    mask = torch.ones(2, 12, dtype=torch.int64)
    mask[1, 8:] = 0
    example = {"input_ids": ids, "attention_mask": mask}
    blocks = _cut(network)
    if not _reproduces(network, blocks, example):
        blocks = [_Whole(network)]
    return BlockBackbone(info, blocks, _POOLINGS[pooling], example, assets)


def _reproduces(network: nn.Module, blocks: list[nn.Module], example: Batch) -> bool:
    """Whether the blocks own every weight once and give the network's token states."""
    held = [id(weight) for block in blocks for weight in block.parameters()]
    if sorted(held) != sorted(id(weight) for weight in network.parameters()):
        return False
    batch = example
    with torch.inference_mode():
        wanted = _Whole(network)(example)["hidden"]
        try:
            for block in blocks:
                batch = block.eval()(batch)
        except (RuntimeError, TypeError, AttributeError):
            return False
    real = example["attention_mask"].bool()
    gap = float((batch["hidden"][real] - wanted[real]).abs().max())
    return gap <= _TOLERANCE * max(float(wanted[real].abs().max()), 1e-6)
