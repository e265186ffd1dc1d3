"""Runs a search behind the live display and says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.console.live import display
from autotl.console.output import show, show_json

if TYPE_CHECKING:
    from autotl.automl import AutoTL

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
    show(fitted.leaderboard_.render(limit=_SHOWN), "")
    if len(fitted.leaderboard_) > _SHOWN:
        show(f"... and {len(fitted.leaderboard_) - _SHOWN} more: autotl leaderboard {fitted.run_.path}", "")
    show(*closing(fitted.test_, fitted.run_.read_json("run.json"), fitted.run_.path))
    return fitted


def summary(fitted: AutoTL) -> dict[str, Any]:
    """What a machine needs of a finished search."""
    run = fitted.run_
    winner = next((row for row in fitted.leaderboard_.to_rows() if row["winner"]), None)
    return {
        "run": str(run.path),
        "bundle": str(run.bundle),
        "report": str(run.path / "report.html"),
        "metric": fitted.leaderboard_.metric,
        "trials": len(fitted.leaderboard_),
        "winner": winner,
        "test": fitted.test_,
        "seconds": run.read_json("run.json").get("seconds"),
    }


def closing(test: Mapping[str, Any], record: Mapping[str, Any], folder: Path) -> list[str]:
    """The last lines for a person: the verdict, and where everything lies."""
    verdict = record.get("verdict") or score_words(test)
    lines = [verdict] if isinstance(verdict, str) else list(verdict)
    return [
        *lines,
        "",
        f"report   {folder / 'report.html'}",
        f"model    {folder / 'model'}",
        f"predict  autotl predict {folder / 'model'} INPUT...",
    ]


def score_words(test: Mapping[str, Any]) -> str:
    """The score on the test part in a sentence."""
    text = f"{test['metric']} on the test part: {test['score']:.4f}"
    if test.get("low") is not None and test.get("high") is not None:
        text += f" ({test['low']:.4f} to {test['high']:.4f})"
    return f"{text}, {test['n']:,} rows."
