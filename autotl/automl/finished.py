"""What a run has left that is over and is asked for nothing more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from autotl.automl.closing import Outcome
from autotl.automl.combine import recall, recorded_winner
from autotl.automl.settings import Settings
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.profile.profile import DatasetProfile
from autotl.search.following import Follower, RunState, is_over
from autotl.serve.predictor import Predictor
from autotl.trial.run_folder import RunFolder

_LEADERBOARD = "leaderboard.json"


def asks_for_nothing_more(folder: RunFolder, settings: Settings) -> bool:
    """Whether a run came to its end, was not interrupted, and has all that is asked of it now.

    A run that is given time is never done with: time is added to what it had.

    Args:
        folder: Of the run.
        settings: What is asked for, to go on with it; metric and backbones as the run has them where nothing
            else was asked.
    """
    record = folder.read_json("run.json")
    if settings.trials is None or settings.time_seconds is not None or record.get("interrupted", True):
        return False
    follower = Follower(folder.path)
    for _ in follower.events():
        pass  # the last one tells how the run ended
    there = is_over(record) and all(
        path.is_file() for path in (folder.path / _LEADERBOARD, folder.bundle / "bundle.json")
    )
    if not there or follower.ended is None or follower.state is not RunState.FINISHED:
        return False
    former = {"metric": record["task"]["metric"], **_given(record["settings"])}
    asked = _given(json.loads(json.dumps(replace(settings, out=folder.path).to_json())))
    own = {"resume", "out", "trials"}
    return len(folder.results()) >= settings.trials and all(
        former.get(name) == asked.get(name) for name in (former.keys() | asked.keys()) - own
    )


def outcome_of(folder: RunFolder, threads: int | None) -> Outcome:
    """What a run that is over has left.

    Args:
        folder: Of the run.
        threads: Of its predictor.

    Raises:
        RunError: A file of it is missing or cannot be read.
    """
    record = folder.record("winner", "test")
    results = folder.results()
    return Outcome(
        profile=DatasetProfile.from_json(folder.read_json("profile.json")),
        results=results,
        leaderboard=Leaderboard.from_json(folder.read_json(_LEADERBOARD)),
        winner=recorded_winner(folder, record["winner"], [*results, *recall(folder, results)]),
        folder=folder,
        test=record["test"],
        predictor=Predictor(folder.bundle, threads=threads),
    )


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """What settings say that is not left to the run."""
    return {name: value for name, value in settings.items() if value is not None}
