"""Tokenizing within an ONNX graph, by the operators of onnxruntime-extensions; WordPiece as BERT has it.

They split some symbols (arrows, hearts, dotted capitals) in another way than the tokenizer of the training,
and special tokens that stand in a text ("[SEP]") too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import DecodeError, ExportError
from autotl.graph.build import Builder
from autotl.modalities.modality import Item
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.text.decoding import TOKENIZER_FILE
from autotl.modalities.text.reading import read_texts

if TYPE_CHECKING:
    import onnx

_DOMAIN = "ai.onnx.contrib"
_PARTS = {"model": "WordPiece", "normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer"}


def raw_graph(spec: PreprocessingSpec) -> onnx.ModelProto:
    """{"text": (1,) string} becomes {"input_ids": (1, T), "attention_mask": (1, T)} int64.

    Raises:
        ExportError: The tokenizer is not BERT's, for which alone there are operators.
    """
    from onnx import TensorProto, helper

    tokenizer = json.loads(Path(spec.assets[TOKENIZER_FILE]).read_text(encoding="utf-8"))
    build = Builder()
    prefix = build.constant(np.array([str(spec.options.get("prefix", ""))], object))
    build.add("StringConcat", [prefix, "text"], "prefixed")
    outputs = ("tokens", "types", "tokens_mask", "offsets")
    build.add("BertTokenizer", ["prefixed"], *outputs, domain=_DOMAIN, **_settings(tokenizer))
    # Too long a text loses tokens at its end, but for the last, which marks it.
    start, last = build.ints(0), build.ints(-1)
    build.add("Slice", ["tokens", last, build.ints(np.iinfo(np.int64).max)], "mark")
    build.add("Slice", ["tokens", start, last], "unmarked")
    build.add("Slice", ["unmarked", start, build.ints(int(spec.options["max_length"]) - 1)], "short")
    build.add("Concat", ["short", "mark"], "kept", axis=0)
    build.add("Unsqueeze", ["kept", start], "input_ids")
    build.add("Shape", ["input_ids"], "shape")
    build.add("Expand", [build.ints(1), "shape"], "attention_mask")
    names = ("input_ids", "attention_mask")
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "T"]) for name in names]
    inputs = [helper.make_tensor_value_info("text", TensorProto.STRING, [1])]
    return build.model("tokenize", inputs, given, domain=_DOMAIN)


def raw_value(item: Item) -> NDArray[Any]:
    """One text; of several, none of which a graph can tell apart, there is no such form."""
    texts = read_texts(item)
    if len(texts) > 1:
        raise DecodeError("a graph takes one text", found=f"{len(texts)} of them")
    return np.array(texts, object)


def _settings(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the operator that make it split as this tokenizer does.

    Raises:
        ExportError: None do.
    """
    found = {part: (tokenizer.get(part) or {}).get("type") for part in _PARTS}
    if found != _PARTS:
        raise _no_operator(", ".join(str(kind) for kind in found.values()), ", ".join(_PARTS.values()))
    model, normalizer = tokenizer["model"], tokenizer["normalizer"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    if sorted(model["vocab"].values()) != list(range(len(vocabulary))):
        raise _no_operator("ids with gaps", "ids from 0 on")
    if not normalizer.get("clean_text", True) or model.get("max_input_chars_per_word", 100) != 100:
        raise _no_operator("text that is not cleaned, or another limit of a word", "BERT's own")
    first, last = _ends(tokenizer.get("post_processor") or {})
    strips = normalizer["strip_accents"]
    return {
        "vocab_file": "\n".join(vocabulary),
        "do_lower_case": int(normalizer["lowercase"]),
        "strip_accents": int(normalizer["lowercase"] if strips is None else strips),
        "tokenize_chinese_chars": int(normalizer["handle_chinese_chars"]),
        "unk_token": model["unk_token"],
        "suffix_indicator": model["continuing_subword_prefix"],
        "cls_token": first,
        "sep_token": last,
        **dict.fromkeys(("mask_token", "pad_token"), model["unk_token"]),  # asked for, and used for nothing
    }


def _ends(processor: Mapping[str, Any]) -> tuple[str, str]:
    """The tokens that are put before and behind a text."""
    if processor.get("type") == "BertProcessing":
        return str(processor["cls"][0]), str(processor["sep"][0])
    if processor.get("type") == "TemplateProcessing":
        pieces = [piece.get("SpecialToken", {}).get("id") for piece in processor["single"]]
        if len(pieces) == 3 and pieces[0] and pieces[1] is None and pieces[2]:
            return str(pieces[0]), str(pieces[2])
    raise _no_operator(
        f"the template of a {processor.get('type')}", "a token before a text and one behind it"
    )


def _no_operator(found: str, expected: str) -> ExportError:
    return ExportError(
        "onnxruntime-extensions has no operator for this tokenizer",
        found=found,
        expected=expected,
        hint="Leave out --raw; clients then tokenize with tokenizer.json.",
    )
