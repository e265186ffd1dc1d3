"""Opens a finished run again, so that another of its trials can be exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from autotl.automl.delivery import Delivery
from autotl.automl.inspect import candidates, read_data
from autotl.automl.settings import Settings, pick_device
from autotl.errors import RunError
from autotl.modalities.registry import modality
from autotl.profile.build import dataset_fingerprint
from autotl.profile.profile import DatasetProfile
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


def reopen(folder: RunFolder) -> Delivery:
    """The delivery of a finished run, from its folder and the data it names.

    Raises:
        RunError: The data were in memory, are no longer where they were, or have changed.
    """
    record = folder.record("settings", "data")
    settings = replace(Settings.from_json(record["settings"]), out=folder.path)  # it may have been moved
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
    fingerprint = dataset_fingerprint(dataset, modality(dataset.modality))
    if fingerprint != profile.fingerprint:
        raise RunError(
            "the data of the run have changed",
            found=f"{len(dataset)} rows of fingerprint {fingerprint[:12]}",
            expected=f"{sum(profile.rows.values())} of {profile.fingerprint[:12]}",
            hint="Only the winner, in model/, can be had without the data as they were.",
        )
    resources = settings.resources(pick_device(settings.device, settings.threads))
    infos = candidates(dataset.modality, settings)
    plan = RunnerPlan(dataset, splits, infos, profile.inputs, folder, resources)
    return Delivery(TrialRunner(plan), settings.seed, settings.limits)
