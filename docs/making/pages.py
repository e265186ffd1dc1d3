"""Reads pages: their code blocks and what is to become of each, and where they begin.

The info string of a block says what is to become of it, after its language:

    bash                  is run in a shell, in the page's folder; every line must succeed
    python                is run; names live on in later blocks of the page
    exit=2                must end with this exit code
    output=NAME           what it says is recorded in docs/outputs/NAME.txt, and shown by `{recorded} NAME`
    exact                 every run must say what was recorded, to the letter
    slow                  takes long: run only to record it
    file=NAME             is written to a file of that name; any language
    no-run="REASON"       cannot be run here, for this reason

A page that goes on where others ended names them in its front matter: `starts_from: tutorials/images`.
Knows nothing of how blocks are run; that is `walk`'s.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DOCS = Path(__file__).parents[1]
#: Written by the build, see `conf.py`.
GENERATED = DOCS / "reference" / "commands"
RUN = ("bash", "python")
OPTIONS = ("exit", "output", "exact", "slow", "file", "no-run")

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.M | re.S)
_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Name of the page, such as "guides/monitoring".
        line: Line of its first fence, from 1.
        language: First word of the info string.
        options: The others; "" where one has no value.
        text: Content.
    """

    page: str
    line: int
    language: str
    options: Mapping[str, str]
    text: str

    @property
    def runs(self) -> bool:
        """Whether there is anything to run, or a file to write."""
        return "no-run" not in self.options and (self.language in RUN or "file" in self.options)

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"docs/{self.page}.md:{self.line}"


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: Its Markdown file.
    """

    path: Path

    @property
    def name(self) -> str:
        """Path below `docs/` without its ending."""
        return self.path.relative_to(DOCS).with_suffix("").as_posix()

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        """All fenced blocks in order."""
        return [self._block(match) for match in _FENCE.finditer(self.text)]

    @property
    def starts_from(self) -> list[Page]:
        """Pages after which this one goes on."""
        front = _FRONT_MATTER.match(self.text)
        wanted = re.search(r"^starts_from:(.*)$", front[1], re.M) if front else None
        return [Page(DOCS / f"{name}.md") for name in wanted[1].split()] if wanted else []

    @property
    def links(self) -> Iterator[str]:
        """Targets of links and images, outside of code."""
        for match in _LINK.finditer(_FENCE.sub("", self.text)):
            yield match[1]

    @property
    def recorded(self) -> list[str]:
        """Names of the outputs that it shows."""
        return [block.text.split()[0] for block in self.blocks if block.language == "{recorded}"]

    def _block(self, match: re.Match[str]) -> Block:
        language, *words = shlex.split(match["info"]) or [""]
        text = match["text"]
        if language.startswith("{"):  # a directive: its argument is all that matters here
            return Block(self.name, self._line(match), language, {}, " ".join(words) + "\n" + text)
        options = dict(word.partition("=")[::2] for word in words)
        return Block(self.name, self._line(match), language, options, text)

    def _line(self, match: re.Match[str]) -> int:
        return self.text.count("\n", 0, match.start()) + 1


def pages() -> list[Page]:
    """All written pages; those that the build writes are left out."""
    found = (path for path in sorted(DOCS.rglob("*.md")) if GENERATED not in path.parents)
    return [Page(path) for path in found]
