"""What a run has left that is over and is asked for nothing more."""

from __future__ import annotations

from dataclasses import replace

from autotl.automl.closing import Outcome
from autotl.automl.combine import recall, recorded_winner
from autotl.automl.settings import Settings
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.profile.profile import DatasetProfile
from autotl.search.event_log import EVENTS, last_event
from autotl.search.events import RunEnded
from autotl.search.following import RunState, is_over, state_of
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
    left = (folder.path / _LEADERBOARD, folder.bundle / "bundle.json")
    if not is_over(record) or not all(path.is_file() for path in left):
        return False
    if len(folder.results()) < settings.trials:
        return False
    ended = last_event(folder.path / EVENTS)
    if not isinstance(ended, RunEnded) or state_of(ended) is not RunState.FINISHED:
        return False
    former = Settings.from_json(record["settings"])
    own = {name: getattr(settings, name) for name in ("resume", "out", "trials")}
    return replace(former, metric=former.metric or record["task"]["metric"], **own) == settings


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
