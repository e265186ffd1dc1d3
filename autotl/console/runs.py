"""Reads what a run left, for the verbs that look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autotl.errors import RunError, SettingsError

if TYPE_CHECKING:
    from autotl.leaderboard.leaderboard import Leaderboard
    from autotl.leaderboard.pick import Pick


def bundle_folder(path: Path) -> Path:
    """The bundle meant by a path: of a run folder, its winner."""
    return path / "model" if (path / "run.json").is_file() and (path / "model").is_dir() else path


def picked(run: Path, rule: tuple[str, str], trial: int | None) -> Pick:
    """What a rule picks from the leaderboard of a run.

    Raises:
        SettingsError: A number was given too, or the rule is unknown.
        RunError: The rule picks nothing.
    """
    from autotl.leaderboard.pick import pick

    if trial is not None:
        raise SettingsError(
            "two trials to export", found=f"--trial {trial} and --pick", expected="one of them"
        )
    return pick(read_leaderboard(run), *rule)


def read_leaderboard(path: Path) -> Leaderboard:
    """The leaderboard of a run, made from its finished trials where the run is not over.

    Raises:
        RunError: The folder holds no run, or no trial was finished.
    """
    from autotl.leaderboard.leaderboard import Leaderboard
    from autotl.task import Task, metric
    from autotl.trial.run_folder import RunFolder

    run = RunFolder(path)
    record = run.record("task")
    if (path / "leaderboard.json").is_file():
        return Leaderboard.from_json(run.read_json("leaderboard.json"))
    results = run.results()
    if not results:
        raise RunError(
            "no trial of this run is finished yet",
            found=str(path),
            hint=f"If no fit is under way there, go on with it: autotl fit DATA --out {path} --resume",
        )
    task = Task.from_json(record["task"])
    greater = metric(task.metric, task.kind).greater_is_better
    return Leaderboard.from_results(results, metric=task.metric, greater_is_better=greater)
