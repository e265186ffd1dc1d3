"""Tokenizing within an ONNX graph, by the operators of onnxruntime-extensions; WordPiece as BERT has it.

They split some symbols (arrows, hearts, dotted capitals) in another way than the tokenizer of the training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import DecodeError, ExportError
from autotl.graph.convert import IR_VERSION, OPSET
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
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    tokenizer = json.loads(Path(spec.assets[TOKENIZER_FILE]).read_text(encoding="utf-8"))
    constants = {
        "prefix": np.array([str(spec.options.get("prefix", ""))], object),
        "zero": np.array([0]),
        "one": np.array([1]),
        "minus_one": np.array([-1]),
        "end": np.array([np.iinfo(np.int64).max]),
        "most": np.array([int(spec.options["max_length"]) - 1]),
    }
    nodes = [
        helper.make_node("StringConcat", ["prefix", "text"], ["prefixed"]),
        helper.make_node(
            "BertTokenizer",
            ["prefixed"],
            ["tokens", "types", "tokens_mask", "offsets"],
            domain=_DOMAIN,
            **_settings(tokenizer),
        ),
        # Too long a text loses tokens at its end, but for the last, which marks it.
        helper.make_node("Slice", ["tokens", "minus_one", "end"], ["last"]),
        helper.make_node("Slice", ["tokens", "zero", "minus_one"], ["but_last"]),
        helper.make_node("Slice", ["but_last", "zero", "most"], ["first"]),
        helper.make_node("Concat", ["first", "last"], ["kept"], axis=0),
        helper.make_node("Unsqueeze", ["kept", "zero"], ["input_ids"]),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Expand", ["one", "shape"], ["attention_mask"]),
    ]
    names = ("input_ids", "attention_mask")
    outputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "T"]) for name in names]
    inputs = [helper.make_tensor_value_info("text", TensorProto.STRING, [1])]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tokenize", inputs, outputs, values)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="autotl")
    onnx.checker.check_model(model)
    return model


def raw_value(item: Item) -> NDArray[Any]:
    """One text; of several, none of which a graph can tell apart, there is no such form."""
    texts = read_texts(item)
    if len(texts) > 1:
        raise DecodeError("a graph takes one text", found=f"{len(texts)} of them")
    return np.array(texts, object)


def _settings(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the operator that make it split as this tokenizer does."""
    found = {part: (tokenizer.get(part) or {}).get("type") for part in _PARTS}
    if found != _PARTS:
        raise ExportError(
            "onnxruntime-extensions has no operator for this tokenizer",
            found=", ".join(str(kind) for kind in found.values()),
            expected=", ".join(_PARTS.values()),
            hint="Leave out --raw; clients then tokenize with tokenizer.json.",
        )
    model, normalizer = tokenizer["model"], tokenizer["normalizer"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    strips = normalizer["strip_accents"]
    return {
        "vocab_file": "\n".join(vocabulary),
        "do_lower_case": int(normalizer["lowercase"]),
        "strip_accents": int(normalizer["lowercase"] if strips is None else strips),
        "tokenize_chinese_chars": int(normalizer["handle_chinese_chars"]),
        "unk_token": model["unk_token"],
        "mask_token": model["unk_token"],  # asked for, and used for nothing
        "suffix_indicator": model["continuing_subword_prefix"],
    }
