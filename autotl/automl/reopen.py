"""Opens a finished run again, so that another of its trials can be exported."""

from __future__ import annotations

from pathlib import Path

from autotl.automl.delivery import Delivery
from autotl.automl.inspect import candidates, read_data
from autotl.automl.settings import Settings, pick_device
from autotl.errors import RunError
from autotl.profile.profile import DatasetProfile
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


def reopen(folder: RunFolder) -> Delivery:
    """The delivery of a finished run, from its folder and the data it names.

    Raises:
        RunError: The data were in memory, or are no longer where they were.
    """
    record = folder.record("settings", "data")
    settings = Settings.from_json(record["settings"])
    source = Path(record["data"]["source"])
    if not source.exists():
        begun = record["data"].get("folder")
        there = f"Its path begins in {begun}: type this there. " if begun and not source.is_absolute() else ""
        raise RunError(
            "the data of the run cannot be found",
            found=str(source),
            expected="the path that was given to fit",
            hint=f"{there}Only the winner, in model/, can be had without them.",
        )
    dataset, _ = read_data(source, settings)
    splits = folder.read_splits()
    profile = DatasetProfile.from_json(folder.read_json("profile.json"))
    if len(dataset) != sum(profile.rows.values()):
        raise RunError(
            "the data of the run have changed",
            found=f"{len(dataset)} rows",
            expected=f"{sum(profile.rows.values())}",
            hint="Only the winner, in model/, can be had without the data as they were.",
        )
    resources = settings.resources(pick_device(settings.device, settings.threads))
    infos = candidates(dataset.modality, settings)
    plan = RunnerPlan(dataset, splits, infos, profile.inputs, folder, resources)
    return Delivery(TrialRunner(plan), settings.seed, settings.limits)
