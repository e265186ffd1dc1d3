"""Numbers and outcomes in words: how a score, a duration, a size or a verdict is said to a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autotl.report.recorded import number, sequence, text

if TYPE_CHECKING:
    from autotl.report.summarize import Outcome

#: What stands where nothing was recorded.
NOTHING = "not recorded"
#: Parts of names that are written otherwise.
SHORT_NAMES = {"f1": "F1", "auroc": "AUROC", "mcc": "MCC", "rmse": "RMSE", "mae": "MAE", "r2": "R\u00b2"}


def score(value: float | None) -> str:
    """A score with three decimals, fewer where it is large: 0.932, 41.27, 12,345."""
    if value is None:
        return "\u2014"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.0005 or value == 0 else f"{value:.1e}"


def gain(value: float | None) -> str:
    """A difference of scores with its sign: +0.024, -0.003."""
    return ("+" if value is not None and value > 0 else "") + score(value)


def interval(low: float | None, high: float | None) -> str:
    """An interval as "0.91 to 0.95"; empty where it is unknown."""
    return "" if low is None or high is None else f"{score(low)} to {score(high)}"


def count(value: float | None) -> str:
    """A count with thousands separators."""
    return "\u2014" if value is None else f"{round(value):,}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "\u2014" if value is None else f"{100 * value:.0f} %"


def seconds(value: float | None) -> str:
    """A duration: 0.4 s, 38 s, 2 min 58 s, 1 h 4 min."""
    if value is None:
        return "\u2014"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _scaled(value: float | None, units: tuple[str, ...]) -> str:
    if value is None:
        return "\u2014"
    step = 0
    while abs(value) >= 999.5 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    digits = f"{value:.0f}" if step == 0 or abs(value) >= 99.95 else f"{value:.1f}"
    return f"{digits} {units[step]}".rstrip()


def size(value: float | None) -> str:
    """Bytes as 17.4 MB (powers of ten)."""
    return _scaled(value, ("B", "kB", "MB", "GB", "TB"))


def magnitude(value: float | None) -> str:
    """A large count as 4.7 M."""
    return _scaled(value, ("", "k", "M", "G", "T"))


def milliseconds(value: float | None) -> str:
    """A latency in milliseconds."""
    if value is None:
        return "\u2014"
    return f"{value:.1f} ms" if value < 99.95 else f"{value:,.0f} ms"


def moment(value: str) -> str:
    """An ISO 8601 time as "2026-03-02 09:14 UTC"; anything else as it is."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{found:%Y-%m-%d %H:%M} {found.tzname() or ''}".rstrip()


def clip(value: str, length: int) -> str:
    """Text of at most `length` characters on one line, with an ellipsis where something was left off."""
    line = " ".join(value.split())
    return line if len(line) <= length else line[: length - 1] + "\u2026"


def label(name: str) -> str:
    """A metric's or key's name as a person writes it: macro_f1 becomes "macro F1"."""
    return " ".join(SHORT_NAMES.get(part, part) for part in name.split("_"))


def compared(audit: Mapping[str, Any]) -> str:
    """How many rows an audit compared by features, from its record; empty where none were."""
    looked, rows = number(audit.get("rows_compared")), number(audit.get("rows"))
    return f"{count(looked)} of {count(rows)} rows were compared by features." if looked else ""


def not_examined(audit: Mapping[str, Any]) -> str:
    """What an audit did not look for, and why, from its record; empty where it looked for everything."""
    left = [text(what) for what in sequence(audit.get("not_examined"))]
    if not left:
        return ""
    reason = text(audit.get("reason"))
    return f"Not looked for by features: {', '.join(left)}{f', because {reason}' if reason else ''}."


def verdict(outcome: Outcome) -> tuple[str, ...]:
    """What the test part says, for a run that recorded no verdict of its own."""
    if outcome.score is None:
        return ("The test part has not been scored, so nothing is known about new data yet.",)
    within = interval(outcome.low, outcome.high)
    first = f"The winner reaches {score(outcome.score)} {label(outcome.metric)} on the test part"
    first += f" (95 % interval {within})." if within else "."
    sentences = [first]
    if outcome.trivial is not None:
        against = outcome.against(outcome.trivial)
        sentences.append(f"That is {against} ignoring the input ({score(outcome.trivial)}).")
    if outcome.ten_lines is not None:
        against = outcome.against(outcome.ten_lines)
        sentences.append(f"It is {against} the ten lines ({score(outcome.ten_lines)}).")
    if outcome.from_scratch is None:
        sentences.append("No control was trained from scratch, so it is not known how much transfer gave.")
    elif outcome.helped is None:
        sentences.append(
            f"Training from scratch gave {score(outcome.from_scratch)}: "
            "the difference is too small to say that transfer helped."
        )
    else:
        helped = "helped" if outcome.helped else "did not help"
        sentences.append(f"Transfer {helped}: training from scratch gave {score(outcome.from_scratch)}.")
    return tuple(sentences)
