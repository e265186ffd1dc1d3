"""Outputs that were recorded: `docs/outputs/NAME.txt`.

The first line says when, at which commit and where; then comes what was typed, a "$ " before each line, and
then what was said. A recording of a block that has changed since is found out by comparing what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.making.pages import DOCS, Block

FOLDER = DOCS / "outputs"
_PROMPT = "$ "


@dataclass(frozen=True)
class Recording:
    """An output.

    Attributes:
        origin: When, where, how long.
        typed: The block as it stood then.
        said: Standard output and error, as they came.
    """

    origin: str
    typed: str
    said: str

    def to_text(self) -> str:
        """The file's content."""
        typed = "".join(f"{_PROMPT}{line}\n" for line in self.typed.splitlines())
        return f"# {self.origin}\n{typed}{self.said}"

    @classmethod
    def from_text(cls, text: str) -> Recording:
        """What `to_text` wrote."""
        head, *lines = text.splitlines(keepends=True)
        end = next((i for i, line in enumerate(lines) if not line.startswith(_PROMPT)), len(lines))
        typed = "".join(line.removeprefix(_PROMPT) for line in lines[:end])
        return cls(head.removeprefix("# ").strip(), typed, "".join(lines[end:]))


def path_of(name: str) -> Path:
    """The file of a recording."""
    return FOLDER / f"{name}.txt"


def read(name: str) -> Recording:
    """A recording by name.

    Raises:
        FileNotFoundError: There is none.
    """
    return Recording.from_text(path_of(name).read_text(encoding="utf-8"))


def write(block: Block, said: str, seconds: float, provenance: dict[str, Any]) -> None:
    """Record what a block said.

    Args:
        block: With the option `output`.
        said: Output and errors.
        seconds: How long it took.
        provenance: `date`, `commit` and `machine`.
    """
    day = str(provenance["date"])[:10]
    took = f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    origin = f"Recorded on {day} at {provenance['commit']}, {provenance['machine']}, in {took}."
    path = path_of(block.options["output"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Recording(origin, block.text, said).to_text(), encoding="utf-8")
