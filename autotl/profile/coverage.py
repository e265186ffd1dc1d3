"""How well a tokenizer's vocabulary covers texts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A word, a punctuation mark, or one character of a script that is written without blanks.
_UNIT = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+|[^\w\s]|_")


@dataclass(frozen=True)
class TextCoverage:
    """What a tokenizer makes of texts.

    Attributes:
        fertility: Pieces a word or punctuation mark.
        unknown_share: Share of the pieces that stand for something outside the vocabulary.
        effective_pieces: Fertility with unknown words counted letter by letter.
    """

    fertility: float
    unknown_share: float
    effective_pieces: float


def text_coverage(tokenizer: Path, items: Sequence[Any]) -> TextCoverage:
    """Coverage of texts (strings or tuples of strings) by a `tokenizer.json`, without markers.

    Lone surrogates, which have no UTF-8 form, count as "?".
    """
    from tokenizers import Tokenizer

    content = tokenizer.read_text(encoding="utf-8")
    machine = Tokenizer.from_str(content)
    machine.no_truncation()
    machine.no_padding()
    model = json.loads(content)["model"]
    unknown = model.get("unk_token") or ""
    unknown_id = model.get("unk_id", machine.token_to_id(unknown) if unknown else None)
    parts = [part for item in items for part in ((item,) if isinstance(item, str) else item)]
    texts = [part.encode("utf-8", "replace").decode("utf-8") for part in parts]
    units = pieces = missing = letters = 0
    for text, encoding in zip(texts, machine.encode_batch(texts, add_special_tokens=False), strict=True):
        units += len(_UNIT.findall(text))
        pieces += len(encoding.ids)
        spans = [
            span for number, span in zip(encoding.ids, encoding.offsets, strict=True) if number == unknown_id
        ]
        missing += len(spans)
        letters += sum(end - start for start, end in spans)
    return TextCoverage(
        fertility=pieces / max(units, 1),
        unknown_share=missing / max(pieces, 1),
        effective_pieces=(pieces - missing + letters) / max(units, 1),
    )
