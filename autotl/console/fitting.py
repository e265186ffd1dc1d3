"""Runs a search behind the live display and says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from autotl.console.live import display
from autotl.console.output import show, show_json, show_leaderboard, show_line

if TYPE_CHECKING:
    from autotl.automl import AutoTL
    from autotl.leaderboard.leaderboard import Leaderboard

#: Rows of the leaderboard that are shown after a search.
_SHOWN = 15


def fit_and_show(data: Path, *, as_json: bool, **parameters: Any) -> AutoTL:
    """Fit with a display on standard error, then print the outcome on standard output.

    Args:
        data: What `AutoTL.fit` takes.
        as_json: Print one JSON object, not tables.
        parameters: Parameters of `AutoTL`.

    Returns:
        The fitted estimator.
    """
    from autotl.search.budget import parse_duration

    budget = parameters["time_budget"]
    seconds = None if budget is None else parse_duration(budget)
    with display(seconds, parameters.get("trials")) as shown:
        from autotl.automl import AutoTL  # takes seconds, which the display should count

        fitted = AutoTL(**parameters, listener=shown).fit(data)
    if as_json:
        show_json(summary(fitted))
        return fitted
    show_outcome(fitted.run_.path, fitted.leaderboard_, fitted.test_, fitted.run_.read_json("run.json"))
    return fitted


def show_outcome(
    folder: Path, leaderboard: Leaderboard, test: Mapping[str, Any], record: Mapping[str, Any]
) -> None:
    """Print what came of a search: its best trials, the verdict, where everything lies."""
    show_leaderboard(leaderboard, _SHOWN)
    show_line("")
    if len(leaderboard) > _SHOWN:
        show_line(f"... and {len(leaderboard) - _SHOWN} more: autotl leaderboard {folder}\n")
    show(*map(escape, verdict(test, record)), "")
    for line in whereabouts(folder):
        show_line(line)


def summary(fitted: AutoTL) -> dict[str, Any]:
    """What a machine needs of a finished search."""
    run = fitted.run_
    record = run.read_json("run.json")
    winner = next((row for row in fitted.leaderboard_.to_rows() if row["winner"]), None)
    return {
        "run": str(run.path),
        "bundle": str(run.bundle),
        "report": str(run.path / "report.html"),
        "metric": fitted.leaderboard_.metric,
        "trials": len(fitted.leaderboard_),
        "winner": winner,
        "test": fitted.test_,
        "predecessor": record.get("predecessor"),
        "seconds": record.get("seconds"),
    }


def verdict(test: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """What came of the search, a sentence or two a line."""
    found = record.get("verdict") or score_words(test)
    return [found] if isinstance(found, str) else list(found)


def whereabouts(folder: Path) -> list[str]:
    """Where everything lies, and the next command."""
    report = folder / "report.html"
    return [
        *([f"report   {report}"] if report.is_file() else []),
        f"model    {folder / 'model'}",
        f"predict  autotl predict {folder / 'model'} INPUT...",
    ]


def score_words(test: Mapping[str, Any]) -> str:
    """The score on the test part in a sentence."""
    text = f"{test['metric']} on the test part: {test['score']:.4f}"
    if test.get("low") is not None and test.get("high") is not None:
        text += f" ({test['low']:.4f} to {test['high']:.4f})"
    return f"{text}, {test['n']:,} rows."
