"""Several labels in one text: which character separates them, if any does.

A separator is believed only where splitting at it explains the texts: the pieces are a vocabulary that is
reused across rows. Class names such as "New York, NY" or "lost card" fail that test.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

#: Column names that promise several labels a row; blanks and commas are looked at only under these.
_PLURALS = frozenset({"labels", "tags", "categories", "genres", "topics", "emotions", "classes", "keywords"})
_MARKS = ("|", ";", ",", " ")
_MAX_VOCABULARY = 1000
_MAX_BLANK_VOCABULARY = 200


def split_labels(texts: Sequence[str], separator: str) -> list[list[str]]:
    """The labels of each text; a blank separator takes any run of white space."""
    split_at = None if separator.isspace() and separator != "\t" else separator
    return [[piece.strip() for piece in text.split(split_at) if piece.strip()] for text in texts]


def parse_list(texts: Sequence[str]) -> list[list[str]] | None:
    """Labels written as lists, '["a", "b"]' or "['a', 'b']"; None unless every text is one."""
    if not texts or not all(text.startswith("[") and text.endswith("]") for text in texts):
        return None
    return [_literal(text) for text in texts]


def _literal(text: str) -> list[str]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        try:
            values = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values = text[1:-1].split(",")
    return [str(value).strip() for value in values]


def find_separator(texts: Sequence[str], column: str, several: bool) -> str | None:
    """The character that separates labels, or None.

    Args:
        texts: One text a row.
        column: Name of the target column; a plural such as "labels" is evidence.
        several: The user has said that rows have several labels.
    """
    distinct = set(texts)
    several = several or column.lower() in _PLURALS
    return next((mark for mark in _MARKS if _explains(mark, distinct, several)), None)


def _explains(mark: str, distinct: set[str], several: bool) -> bool:
    combined = [text for text in distinct if mark in text]
    if not combined or (mark in ", " and not several):
        return False
    rows = split_labels(sorted(distinct), mark)
    vocabulary = {label for row in rows for label in row}
    if len(vocabulary) < 2 or any(len(set(row)) < len(row) for row in rows):
        return False
    if mark != " ":
        slack = len(vocabulary) <= len(distinct) if mark != "," else len(vocabulary) < len(distinct)
        return slack and len(vocabulary) <= _MAX_VOCABULARY
    alone = sum(label in distinct for label in vocabulary)
    reused = len(vocabulary) < len(distinct) and len(vocabulary) <= _MAX_BLANK_VOCABULARY
    return reused and alone >= 0.8 * len(vocabulary)
