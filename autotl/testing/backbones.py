"""Tiny backbones with random weights: real networks that obey the protocol, for tests without downloads."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from autotl.backbones.backbone import Backbone, BackboneInfo, Batch
from autotl.backbones.network import BlockBackbone, pool_map, pool_mean

_TEXT = (
    "a an and are as at bad book boring but card cash don't dull film fine food for from good "
    "great happy i in is it like lost love movie my not of on poor sad so that the this to very "
    "was what with you"
)
#: Words that `tiny_text_backbone` knows where none are given.
WORDS = tuple(_TEXT.split())
_IMAGE_SIZE = 32
_WIDTHS = (8, 16, 24, 32)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


class _ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU; the first one takes pixels."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, batch: Batch) -> Batch:
        if self.first:
            states = (batch["pixels"].permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        else:
            states = batch["hidden"]
        return {"hidden": torch.relu(self.norm(self.conv(states)))}


def tiny_image_backbone(seed: int = 0) -> Backbone:
    """A convolutional network of four blocks with batch normalisation; takes 16 px and more.

    Args:
        seed: Seed of the weights; the global random state is left alone.
    """
    info = BackboneInfo(
        name="tiny-image",
        modality="image",
        source="testing",
        reference="tiny-image",
        licence="Apache-2.0",
        commercial=True,
        parameters=11_896,
        macs=1_700_000,
        input={
            "size": _IMAGE_SIZE,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "filter": "bicubic",
            "crop_share": 1.0,
            "fixed_size": False,
        },
        pretraining="none: random weights",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = (3, *_WIDTHS)
        blocks = [
            _ConvBlock(widths[i], widths[i + 1], stride=1 if i == 0 else 2, first=i == 0)
            for i in range(len(_WIDTHS))
        ]
    example = {"pixels": torch.zeros(1, _IMAGE_SIZE, _IMAGE_SIZE, 3, dtype=torch.uint8)}
    return BlockBackbone(info, blocks, pool_map, example)


class _Embedding(nn.Module):
    """Token and position embeddings."""

    def __init__(self, vocabulary: int, width: int, positions: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, batch: Batch) -> Batch:
        ids = batch["input_ids"]
        places = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
        states = self.norm(self.tokens(ids) + self.positions(places))
        return {"hidden": states, "attention_mask": batch["attention_mask"]}


class _EncoderLayer(nn.Module):
    """Self-attention and a feed-forward layer, each with a residual and a norm after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norm_attention = nn.LayerNorm(width)
        self.norm_output = nn.LayerNorm(width)

    def _attend(self, states: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = states.shape
        heads = self.query_key_value(states).reshape(rows, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-1, -2) / (width // self.heads) ** 0.5
        scores = scores + (1 - mask.to(states.dtype))[:, None, None, :] * -1e4
        mixed = torch.softmax(scores, dim=-1) @ value
        joined: Tensor = self.output(mixed.transpose(1, 2).reshape(rows, length, width))
        return joined

    def forward(self, batch: Batch) -> Batch:
        mask = batch["attention_mask"]
        states = self.norm_attention(batch["hidden"] + self._attend(batch["hidden"], mask))
        states = self.norm_output(states + self.down(torch.nn.functional.gelu(self.up(states))))
        return {"hidden": states, "attention_mask": mask}


def write_tokenizer(folder: Path, vocabulary: Sequence[str] = WORDS) -> Path:
    """Write a lower-casing whole-word `tokenizer.json` with [CLS] text [SEP]; returns its path.

    [PAD] is 0, [UNK] 1, [CLS] 2, [SEP] 3, and the words follow in their order.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {word: i for i, word in enumerate(dict.fromkeys([*_SPECIAL, *vocabulary]))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def tiny_text_backbone(
    seed: int = 0, vocabulary: Sequence[str] = WORDS, folder: Path | None = None
) -> Backbone:
    """A transformer encoder of two layers (three blocks) that mean-pools; takes up to 128 tokens.

    Args:
        seed: Seed of the weights; the global random state is left alone.
        vocabulary: Lower-case words that its tokenizer knows.
        folder: Where `tokenizer.json` is written; None for a new temporary folder.
    """
    width, positions = 32, 128
    size = len(dict.fromkeys([*_SPECIAL, *vocabulary]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blocks = [_Embedding(size, width, positions), _EncoderLayer(width, 4), _EncoderLayer(width, 4)]
    info = BackboneInfo(
        name="tiny-text",
        modality="text",
        source="testing",
        reference="tiny-text",
        licence="Apache-2.0",
        commercial=True,
        parameters=sum(p.numel() for block in blocks for p in block.parameters()),
        macs=128 * 2 * 8 * width * width,
        input={"max_length": positions, "prefix": "", "pooling": "mean"},
        pretraining="none: random weights",
        languages=("en",),
    )
    target = Path(tempfile.mkdtemp(prefix="autotl-tiny-text-")) if folder is None else Path(folder)
    example = {
        "input_ids": torch.zeros(1, 4, dtype=torch.int64),
        "attention_mask": torch.ones(1, 4, dtype=torch.int64),
    }
    assets = {"tokenizer.json": write_tokenizer(target, vocabulary)}
    return BlockBackbone(info, blocks, pool_mean, example, assets)
