"""`Opening`: the beginning of a run: folder, data, what an earlier run left, space, runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autotl.automl.closing import Outcome
from autotl.automl.command import command, resumed
from autotl.automl.experience import Experience
from autotl.automl.finished import asks_for_nothing_more, outcome_of
from autotl.automl.inspect import data_of, plan_space, read_data
from autotl.automl.ledger import Ledger
from autotl.automl.predecessor import Predecessor
from autotl.automl.settings import Settings
from autotl.config import LEFT_OUT
from autotl.data.dataset import Dataset, Splits
from autotl.data.rows import plural
from autotl.data.splits import lacking_classes, large_unit
from autotl.errors import RunError
from autotl.export.compress import check_form
from autotl.modalities.registry import modality
from autotl.profile.build import dataset_fingerprint
from autotl.profile.profile import DatasetProfile
from autotl.report import mlflow
from autotl.search.events import Advanced, DataRead, Note
from autotl.space.admission import BackboneChoice
from autotl.space.space import SearchSpace
from autotl.task import Task
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


@dataclass(frozen=True)
class Opened:
    """What the search needs.

    Attributes:
        settings: What the user asked for; what folder or earlier run say, where nothing was asked.
        profile: The data.
        space: What may be tried.
        runner: Runs trials.
        predecessor: The run that this one follows, where it follows one.
    """

    settings: Settings
    profile: DatasetProfile
    space: SearchSpace
    runner: TrialRunner
    predecessor: Predecessor | None


class Opening:
    """Opens one run.

    Args:
        settings: What the user asked for.
        ledger: Records and tells.
        experience: What earlier runs taught.
        device: Where torch runs.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, experience: Experience, device: torch.device
    ) -> None:
        self._settings, self._ledger = settings, ledger
        self._experience, self._device = experience, device
        self._predecessor: Predecessor | None = None

    def run(self, data: Any, labels: Sequence[Any] | None) -> Opened | Outcome:
        """Everything before the first model; of a run that is asked for nothing more, what it has left."""
        self._ledger.record["command"] = command(self._settings, data, labels)
        folder = self._open_folder()
        check_form(self._settings.compress)
        if self._settings.mlflow is not None:
            mlflow.check(self._settings.mlflow)
        if self._predecessor is not None:
            self._settings = self._predecessor.inherited(self._settings)
        self._ledger.record["settings"] = self._settings.to_json()
        with folder.created(), self._ledger.claimed(folder):
            if not folder.exists():  # what a run left that broke off unrecorded is not this one's
                folder.predecessor.with_suffix(".json").unlink(missing_ok=True)
                folder.predecessor_rows.unlink(missing_ok=True)
            dataset, splits = self._read(folder, data, labels)
            if self._settings.resume and asks_for_nothing_more(folder, self._settings):
                outcome = outcome_of(folder, self._settings.threads)
                done = f"nothing is left to do, the run has its {plural(len(outcome.results), 'trial')}"
                self._ledger.show(Note(f"{done}: --trials with a larger number, or --time, goes on"))
                return outcome
            if self._predecessor is not None:
                self._take_over(self._predecessor, folder, dataset, splits)
            profile, space, runner = self._plan(folder, dataset, splits)
        return Opened(self._settings, profile, space, runner, self._predecessor)

    def _open_folder(self) -> RunFolder:
        folder = RunFolder(self._settings.out)
        if folder.exists() and not self._settings.resume:
            raise RunError(
                "the run folder already holds a run",
                found=str(folder.path),
                hint="Go on with it: --resume. Or choose another with --out.",
            )
        if self._settings.resume:
            recorded = folder.record("settings", "data", "task")
            self._ledger.go_on(recorded)
            self._settings = _gone_on(self._settings, recorded)
            followed = recorded["settings"].get("from_run")
            if followed and self._settings.from_run is None:
                gone = f"the run that this one follows is not at {followed}: no comparison with its model"
                self._ledger.tell(Note(gone, warning=True))
        if self._settings.from_run is not None:
            self._predecessor = Predecessor(self._settings.from_run)
        return folder

    def _read(self, folder: RunFolder, data: Any, labels: Sequence[Any] | None) -> tuple[Dataset, Splits]:
        self._ledger.stages.begin("read", str(data_of(data)))
        learnt = frozenset[str]() if self._predecessor is None else self._predecessor.learnt()
        dataset, splits = read_data(data, self._settings, labels=labels, learnt=learnt)
        for finding in dataset.findings:
            self._ledger.show(Note(finding.told, warning=finding.severity != "info"))
        self._ledger.tell(DataRead(len(dataset), dataset.task))
        self._ledger.record["findings"] = [finding.to_json() for finding in dataset.findings]
        if folder.exists():
            self._check_same_data(folder, dataset)
            splits = folder.read_splits()
        doubts = [large_unit(dataset), *lacking_classes(dataset, splits)]
        for message in filter(None, doubts):
            self._ledger.tell(Note(message, warning=True))
        return dataset, splits

    def _check_same_data(self, folder: RunFolder, dataset: Dataset) -> None:
        """Refuse to go on with a run on other data than it was begun on, or for another task."""
        record = folder.record("data", "task")
        expected = record["data"]["fingerprint"]
        found = dataset_fingerprint(dataset, modality(dataset.modality))
        if found != expected:
            raise RunError(
                "the run was begun on other data",
                found=f"fingerprint {found[:12]}",
                expected=expected[:12],
                hint="Choose another folder with --out.",
            )
        task = Task.from_json(record["task"])
        if (task.kind, task.metric) != (dataset.task.kind, dataset.task.metric):
            raise RunError(
                "the run was begun for another task",
                found=f"{dataset.task.kind.value}, judged by {dataset.task.metric}",
                expected=f"{task.kind.value}, judged by {task.metric}",
                hint="Leave out --task and --metric, or choose another folder with --out.",
            )

    def _take_over(
        self, predecessor: Predecessor, folder: RunFolder, dataset: Dataset, splits: Splits
    ) -> None:
        """Begin with what an earlier run has found, as far as it can still be had."""
        predecessor.check(dataset)
        reason = predecessor.take_over(folder, dataset, splits)
        if reason is not None:
            self._ledger.tell(Note(reason, warning=True))

    def _plan(
        self, folder: RunFolder, dataset: Dataset, splits: Splits
    ) -> tuple[DatasetProfile, SearchSpace, TrialRunner]:
        self._ledger.stages.begin("profile")
        previous = folder.read_json("run.json") if folder.exists() else None
        begun = None if previous is None else SearchSpace.from_json(folder.read_json("space.json"))
        profile, space, choices, infos = plan_space(
            dataset, splits, self._settings, device=str(self._device), begun=begun
        )
        left_out: dict[str, str] = {}
        if previous is not None and begun is not None:
            left_out = {c.name: c.reason for c in choices if c.name in begun.backbones and not c.included}
            choices = _updated(previous["backbones"], [c for c in choices if c.name in begun.backbones])
            self._ledger.record = {
                **previous,
                **self._ledger.record,
                **resumed(previous, self._ledger.record["command"]),
                "notes": [*previous["notes"], *self._ledger.record["notes"]],
            }
        else:
            space, self._ledger.record["recommended"] = self._experience.advise(profile, space)
            space = space if self._predecessor is None else self._predecessor.lead(space)
            folder.write_json("space.json", space.to_json())
        self._ledger.record |= {
            "task": dataset.task.to_json(),
            "metric": dataset.task.metric,
            "data": {
                "source": dataset.source,
                "folder": str(Path.cwd()),
                "fingerprint": profile.fingerprint,
                "rows": profile.rows,
            },
            "backbones": [asdict(choice) for choice in choices],
        }
        if len(infos) < len(choices):
            usable = f"{len(infos)} of {len(choices)} backbones take part; autotl space says why"
            self._ledger.tell(Note(usable))
        folder.write_splits(splits)
        folder.write_json("profile.json", profile.to_json())
        self._ledger.write(folder)
        self._leave_out(folder, left_out)
        resources = self._settings.resources(self._device)
        runner = TrialRunner(
            RunnerPlan(dataset, splits, infos, profile.inputs, folder, resources),
            deadline=self._ledger.time.search_deadline,
            report=lambda done, total: self._ledger.tell(Advanced(done, total)),
        )
        runner.pace.expect(self._experience.rates())
        return profile, space, runner

    def _leave_out(self, folder: RunFolder, reasons: Mapping[str, str]) -> None:
        """Mark the trials of backbones that may no longer be used, for the reasons by name; scores stay."""
        for name, reason in reasons.items():
            self._ledger.tell(Note(f"{name} takes part no longer: {reason}", warning=True))
        for result in folder.results():
            told = reasons.get(result.config.backbone)
            if told != result.left_out:
                known = result.without_fact(LEFT_OUT)
                folder.write_result(known if told is None else known.with_facts(**{LEFT_OUT: told}))


def _updated(
    recorded: Sequence[Mapping[str, Any]], choices: Sequence[BackboneChoice]
) -> list[BackboneChoice]:
    """Why backbones are in or out as a run said before, but for those of which it is known anew."""
    known = {choice.name: choice for choice in choices}
    return [known.get(choice["name"], BackboneChoice(**choice)) for choice in recorded]


def _gone_on(asked: Settings, recorded: Mapping[str, Any]) -> Settings:
    """The settings of a run that goes on, with what it was begun with where nothing else is asked.

    Paths are those of the folder that it was begun in.
    """
    former, begun = recorded["settings"], Path(recorded["data"].get("folder", ""))
    names = former.get("backbones")
    space, run = (begun / former[name] if former.get(name) else None for name in ("space", "from_run"))
    run = run if run is not None and RunFolder(run).exists() else None
    return replace(
        asked,
        metric=asked.metric or recorded["task"]["metric"],
        backbones=asked.backbones or (None if names is None else tuple(names)),
        space=asked.space or (space if space is not None and space.is_file() else None),
        from_run=asked.from_run or run,
    )
