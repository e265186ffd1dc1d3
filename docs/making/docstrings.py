"""Makes docstrings, which are written for readers of the code, readable for Sphinx."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

#: Code with an ending, as in "`near_key`s": markup of Sphinx must end at a blank.
_ENDING = re.compile(r"(`[^`\n]+`)(?=\w)")


def with_separate_endings(line: str) -> str:
    r"""The line with "\ " between code and what is joined to it, which Sphinx shows as nothing."""
    return _ENDING.sub(r"\1\\ ", line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""

    def process(
        _app: Sphinx, _what: str, _name: str, _thing: object, _options: Any, lines: list[str]
    ) -> None:
        lines[:] = map(with_separate_endings, lines)

    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
