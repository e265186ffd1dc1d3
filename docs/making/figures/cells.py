"""Cells of tables: figures beside their targets, and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NO_FIGURE, MISSED = "not measured", "**no**"


@dataclass(frozen=True)
class Target:
    """What a figure should reach.

    Attributes:
        value: The figure.
        form: How it is written.
        is_most: Whether it is the most, where less is better, and not the least.
    """

    value: float
    form: str = "{:g}"
    is_most: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.form.format(self.value)}"

    def is_met(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value <= self.value if self.is_most else value >= self.value


def judged(value: float | None, target: Target | None) -> tuple[str, str]:
    """Two cells: the target, and whether it was met."""
    if target is None or value is None:
        return str(target or "none"), ""
    return str(target), "yes" if target.is_met(value) else MISSED


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
