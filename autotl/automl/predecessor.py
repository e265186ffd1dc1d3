"""`Predecessor`: the run that a new one follows, on new data.

The new run begins with the recipe of its winner, and with the network that it fine-tuned; in the end both
models are compared on the new test rows. Nothing of the old run is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.automl.delivery import Delivery
from autotl.automl.reopen import reopen
from autotl.automl.settings import Settings
from autotl.backbones.backbone import Backbone, BackboneInfo
from autotl.backbones.sources.finetuned import SOURCE as FINETUNED
from autotl.backbones.sources.finetuned import finetuned
from autotl.config import TrialConfig
from autotl.data.dataset import Dataset, Splits
from autotl.data.rows import plural
from autotl.errors import AutotlError, RunError
from autotl.features.keys import weights_key
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.paired import paired_gain
from autotl.serve.predictor import Predictor
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.space.space import SearchSpace
from autotl.task import Task, TaskKind, metric
from autotl.training.model import TransferModel
from autotl.trial.run_folder import RunFolder

Array = NDArray[Any]
#: Settings that hold for new data of the same kind, where nothing else is said.
_INHERITED = ("target", "text", "image", "group", "metric")
#: Fewer test rows tell nothing.
_LEAST_ROWS = 10


@dataclass(frozen=True)
class Comparison:
    """The new model against the old one on test rows that neither was fitted on.

    Attributes:
        rows: Rows compared.
        left_out: Test rows that the old model was fitted on; None where that is not known.
        old, new: Scores in the metric's own direction.
        gain: What the new one gains, positive where it is better, by paired bootstrap.
    """

    rows: int
    left_out: int | None
    old: float
    new: float
    gain: Interval

    @property
    def is_better(self) -> bool:
        """Whether the new model is better beyond the noise."""
        return self.gain.low > 0

    def to_json(self, run: Path) -> dict[str, Any]:
        """A JSON-ready dictionary, with the run that the old model is of."""
        return {"run": str(run), **asdict(self), "is_better": self.is_better}

    def words(self, run: Path, name: str) -> str:
        """The comparison in a sentence."""
        bounds = f"{self.gain.value:+.3f} ({self.gain.low:+.3f} to {self.gain.high:+.3f})"
        seen = "; whether the old one was fitted on some of them is not known" * (self.left_out is None)
        said = (
            f"On the same {self.rows:,} test rows the model of {run} has {name} {self.old:.3f}, the new one "
        )
        said += f"{self.new:.3f}{seen}: a difference of {bounds}"
        if self.is_better:
            return f"{said}, clearly better."
        if self.gain.high < 0:
            return f"{said}, clearly worse; keep the old one."
        return f"{said}, within the noise; that is no reason to replace the old one."


class Predecessor:
    """A finished run that another one follows.

    Args:
        path: Its folder.

    Raises:
        RunError: It is no finished run.
    """

    def __init__(self, path: Path) -> None:
        self._run = RunFolder(path)
        self._record = self._run.record("settings", "task", "winner", "data")
        if not self._run.bundle.is_dir():
            raise RunError(
                "the run to go on from has no model",
                found=f"nothing at {self._run.bundle}",
                hint=f"Finish it first: autotl fit DATA --out {path} --resume",
            )
        self._recipe = TrialConfig.from_json(self._record["winner"]["config"])
        self._network: BackboneInfo | None = None

    def inherited(self, asked: Settings) -> Settings:
        """The settings of a new run, with what holds for both where nothing else was asked."""
        task = self._record["task"]
        old = {**self._record["settings"], "metric": task["metric"]}
        found = {name: old[name] for name in _INHERITED if getattr(asked, name) is None}
        found = {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
        return replace(asked, task=task["kind"] if asked.task == "auto" else asked.task, **found)

    def check(self, dataset: Dataset) -> None:
        """Make sure that new data are of the kind that the old model predicts.

        Raises:
            RunError: They are not.
        """
        kind = Task.from_json(self._record["task"]).kind
        bundle = Predictor(self._run.bundle, check=False).bundle
        found, expected = (dataset.modality, dataset.task.kind), (bundle.spec.modality, kind)
        if found != expected:
            raise RunError(
                f"the data are of another kind than those of {self._run.path}",
                found=" ".join(found),
                expected=" ".join(expected),
                hint="Begin anew, without --from.",
            )

    def learnt(self) -> frozenset[str]:
        """Fingerprints of the rows that the old model was fitted on; none where its data cannot be read."""
        return self._fitted_on or frozenset()

    def take_over(self, folder: RunFolder, dataset: Dataset, splits: Splits) -> str | None:
        """Keep the network that the old run fine-tuned in the new run's folder; gives why not, where not.

        A network that learnt rows which now judge is left behind: it would seem better than it is.

        Args:
            folder: Of the new run.
            dataset: The new data.
            splits: Their parts.
        """
        recipe_alone = f"only the recipe of {self._run.path} is taken over, not its network: "
        if isinstance(self._opened, str):
            return recipe_alone + self._opened
        with closing(self._opened.runner):
            try:
                base, model = self._winner(self._opened)
            except (AutotlError, OSError) as error:
                return recipe_alone + str(error)
            if weights_key(model.backbone) == weights_key(base):
                return None
            if base.info.source == FINETUNED.name and not self._run.predecessor_rows.is_file():
                return f"{recipe_alone}what rows it began with, from a run before that, is not recorded"
            judging = np.concatenate([splits.val, splits.test])
            known = sum(not self._is_unseen(dataset, int(row)) for row in judging)
            if known:
                rows = plural(known, "row")
                return f"{recipe_alone}it was fitted on {rows} of the validation and test parts"
            name = f"{base.info.name}@{self._run.path.resolve().name}"
            self._network = finetuned(base.info, model.module, folder.predecessor, name)
            if self._fitted_on is not None:
                folder.write_json(folder.predecessor_rows.name, {"learnt": sorted(self._fitted_on)})
            return None

    def _winner(self, delivery: Delivery) -> tuple[Backbone, TransferModel]:
        """The backbone that the old winner began with, and its model; takes its recipe, a first member's."""
        combinations = delivery.combinations
        combinations.know(delivery.runner.folder.results())
        chosen = combinations.winner(self._record["winner"])
        self._recipe = combinations.members(chosen)[0].config
        return delivery.runner.bench(self._recipe).backbone, combinations.model(chosen)

    @cached_property
    def _opened(self) -> Delivery | str:
        """The old run, opened again; or why it cannot be."""
        try:
            return reopen(self._run)
        except (AutotlError, OSError) as error:
            return str(error)

    @cached_property
    def _fitted_on(self) -> frozenset[str] | None:
        """Fingerprints of the rows that the old model was fitted on; None where they are not known.

        With those that the network which it took over was fitted on, by whatever run.
        """
        if isinstance(self._opened, str) or not self._opened.runner.dataset.fingerprints:
            return None
        runner, before = self._opened.runner, self._run.predecessor_rows
        own = frozenset(runner.dataset.fingerprints[row] for row in runner.splits.train_and_val)
        return own.union(self._run.read_json(before.name)["learnt"] if before.is_file() else ())

    def lead(self, space: SearchSpace) -> SearchSpace:
        """The space with the old winner's recipe right after the baseline, also on its network."""
        wanted = [(self._recipe.backbone, self._recipe)]
        if self._network is not None:
            name = self._network.name
            probe = replace(self._recipe, strategy=BASELINE_STRATEGY)
            wanted = [(name, probe), (name, self._recipe), *wanted]
        entries = [
            space.complete(name, config.strategy, config.params)
            for name, config in wanted
            if any(s.name == config.strategy and s.searched and name in s.backbones for s in space.strategies)
        ]
        first = [*space.entries[:1], *entries]
        ordered = {entry.key: entry for entry in [*first, *space.entries[1:]]}
        leading = frozenset(entry.key for entry in first)
        return replace(space, entries=tuple(ordered.values()), leading=leading, free=space.free - leading)

    def compare(self, dataset: Dataset, rows: Array, outputs: Array, *, seed: int) -> Comparison | None:
        """Compare the new model with the old one.

        Args:
            dataset: The new data.
            rows: Test rows of them.
            outputs: What the new model gives for them: (N, K) probabilities or (N,) values.
            seed: Of the bootstrap.

        Returns:
            The comparison; None where too few rows are new to the old model.
        """
        unseen = np.array([self._is_unseen(dataset, row) for row in rows], bool)
        left_out = None if self._fitted_on is None else int((~unseen).sum())
        rows, outputs = rows[unseen], outputs[unseen]
        if len(rows) < _LEAST_ROWS:
            return None
        old = Predictor(self._run.bundle)
        given = aligned(
            dataset.task, old.predict_proba(dataset.take(rows).items), old.classes, dataset.task.classes
        )
        judge = metric(dataset.task.metric, dataset.task.kind)
        targets = dataset.targets[rows]
        return Comparison(
            rows=len(rows),
            left_out=left_out,
            old=judge(targets, given),
            new=judge(targets, outputs),
            gain=paired_gain(judge, targets, outputs, given, repeats=1000, seed=seed),
        )

    def _is_unseen(self, dataset: Dataset, row: int) -> bool:
        """Whether the old model was not fitted on a row, as far as is known."""
        if self._fitted_on is None or not dataset.fingerprints:
            return True
        return dataset.fingerprints[row] not in self._fitted_on


def aligned(task: Task, outputs: Array, classes: Sequence[str], wanted: Sequence[str]) -> Array:
    """Outputs of a model in the order of other classes.

    A class that it does not know has no probability; what it gives to others that are not wanted goes to
    those that are, where classes exclude each other.

    Args:
        task: Of the wanted classes.
        outputs: (N, K) probabilities of `classes`, or (N,) values.
        classes: K names.
        wanted: K' names.

    Returns:
        (N, K') probabilities, or the values.
    """
    if task.kind is TaskKind.REGRESSION:
        return outputs
    place = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(outputs), len(wanted)), outputs.dtype)
    for column, name in enumerate(wanted):
        if name in place:
            found[:, column] = outputs[:, place[name]]
    if task.kind is TaskKind.MULTILABEL:
        return found
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.maximum(total, 1e-12), 1.0 / len(wanted))
