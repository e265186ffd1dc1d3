"""`Delivery`: from a finished trial to a bundle and its score; shared by `fit` and `export`."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.automl.combine import Combinations
from autotl.automl.evidence import Evidence
from autotl.automl.graphs import Graphs
from autotl.config import TrialResult
from autotl.data.dataset import Splits
from autotl.data.stratify import spread
from autotl.export.bundle import export_bundle
from autotl.export.compress import Compression, Rows, compress
from autotl.leaderboard.calibration import fit_temperature
from autotl.leaderboard.interval import Interval, bootstrap_interval
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.leaderboard.selection import is_candidate
from autotl.leaderboard.verdict import on_search, verdict
from autotl.report.previews import Preview, preview_of
from autotl.search.outlook import expected_gain
from autotl.serve.monitoring.reference import MOST_ROWS, Reference
from autotl.serve.predictor import Predictor
from autotl.space.limits import Limits
from autotl.task import metric, metrics, trivial_prediction
from autotl.training.model import TransferModel
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]
#: Trials, the best ones, that are compared with the default recipe.
_COMPARED_TRIALS = 10
#: Rows compared between training and bundle.
PARITY_ROWS = 256
#: And of a bundle that nobody keeps.
_FEW_PARITY_ROWS = 32
#: Training rows that a smaller graph is calibrated on, and about how many validation rows judge it.
CALIBRATION_ROWS, JUDGED_ROWS = 128, 2000
#: Numbers of features of the test part that are kept: 256 MB.
_MOST_FEATURES = 2**26


@dataclass(frozen=True)
class SeenRows:
    """Rows of the test part as a bundle sees them.

    Attributes:
        rows: (N,) row numbers, ascending.
        outputs: (N, K) probabilities or (N,) values.
        described: (D,) numbers of the rows whose features are held, a random sample, D at most 2,048.
        described_outputs: Their outputs.
        features: (D, F) float32.
        all_features: (N, F) float32, of all rows in their order; None where they are too many to be kept.
    """

    rows: Array
    outputs: Array
    described: Array
    described_outputs: Array
    features: Array
    all_features: Array | None = None


class Delivery:
    """Exports what a runner has trained.

    Args:
        runner: Holds data, splits and features.
        seed: Seed of bootstrap and of the choice of rows.
        limits: What a delivered model may take, and how that is measured.

    Attributes:
        evidence: What the validation rows say of the trials.
        combinations: What was made of several trials.
        graphs: What their exported forms take.
    """

    def __init__(self, runner: TrialRunner, seed: int, limits: Limits) -> None:
        self.runner, self._seed = runner, seed
        self.evidence = Evidence(runner, seed)
        self.combinations = Combinations(runner, self.evidence, seed)
        self.graphs = Graphs(runner, self.combinations, limits)

    def calibrate(self, model: TransferModel, result: TrialResult) -> float:
        """Set the temperature that fits the trial's validation outputs, and give it."""
        raw = self.evidence.raw_outputs(result)
        targets = self.runner.dataset.targets[self.runner.splits.val]
        model.temperature = fit_temperature(raw, targets, self.runner.dataset.task.kind)
        return model.temperature

    def preview(self) -> Preview | None:
        """Shows a row of the data by its name; None where the modality has no previews."""
        return preview_of(self.runner.dataset)

    def export(
        self,
        model: TransferModel,
        record: dict[str, Any],
        folder: Path,
        *,
        rows: Array | None = None,
        parity_rows: int = PARITY_ROWS,
    ) -> dict[str, Any]:
        """Write and verify a bundle; gives its manifest.

        Args:
            model: What to export.
            record: What the bundle should say of its making.
            folder: Where to.
            rows: Rows to compare on; validation rows, then training rows, where None.
            parity_rows: How many of them.
        """
        dataset, splits = self.runner.dataset, self.runner.splits
        if rows is None:
            rows = np.concatenate([splits.val, splits.train])
        bundle = export_bundle(model, dataset, rows, folder, record=record, verify_rows=parity_rows)
        return dict(bundle.manifest)

    def compress(self, folder: Path, form: str, *, refitted: TrialResult | None = None) -> Compression:
        """Ship a smaller graph in a bundle that was exported, where that pays; see `autotl.export.compress`.

        Args:
            folder: The bundle.
            form: "int8", whose ranges come from training rows, or "fp16".
            refitted: What the bundle's model was fitted again of, on the validation rows too. As they are no
                longer new to it, they judge the graph of the model as it was before.
        """
        dataset, splits = self.runner.dataset, self.runner.splits
        few = some(splits, dataset.targets, CALIBRATION_ROWS, JUDGED_ROWS, self._seed)
        judged = np.unique(np.concatenate([splits.val[:PARITY_ROWS], few.val]))
        rows = Rows(dataset.take(few.train).items, dataset.take(judged).items, dataset.targets[judged])
        threads = self.runner.plan.resources.threads
        if refitted is None:
            return compress(folder, rows, form, threads=threads)
        with tempfile.TemporaryDirectory() as temporary:
            former = Path(temporary) / "model"
            model = self.combinations.model(refitted)
            self.calibrate(model, refitted)
            self.export(model, {}, former, parity_rows=_FEW_PARITY_ROWS)
            told = compress(former, rows, form, threads=threads)
        told = replace(told, before_final_fit=True)
        return compress(folder, rows, form, threads=threads, judged=told)

    def run_test(self, predictor: Predictor, most_rows: int | None = None) -> SeenRows:
        """Run rows of the test part through a bundle, once for its score and for its reference.

        Args:
            predictor: The exported model.
            most_rows: A sample of so many rows; None for all.
        """
        dataset, rows = self.runner.dataset, self.runner.splits.test
        shuffled = np.random.default_rng(self._seed).permutation(rows)[:most_rows]
        outputs, features = [], []
        for begin in range(0, max(1, len(shuffled)), MOST_ROWS):
            block = shuffled[begin : begin + MOST_ROWS]
            block_outputs, block_features = predictor.outputs(dataset.take(block).items)
            outputs.append(block_outputs)
            is_small = len(shuffled) * block_features.shape[1] <= _MOST_FEATURES
            if begin == 0 or is_small:
                features.append(block_features)
        order, described = np.argsort(shuffled), slice(MOST_ROWS)
        return SeenRows(
            rows=shuffled[order],
            outputs=np.concatenate(outputs)[order],
            described=shuffled[described],
            described_outputs=outputs[0],
            features=features[0],
            all_features=np.concatenate(features)[order] if is_small else None,
        )

    def reference(self, run: SeenRows, *, keep_rows: bool) -> Reference | None:
        """What a bundle is to remember of the test part; None of fewer than two rows.

        Args:
            run: The test part, seen by the bundle.
            keep_rows: Whether embeddings of single rows may be part of it.
        """
        if len(run.described) < 2:
            return None
        dataset = self.runner.dataset
        targets = dataset.targets[run.described]
        found = Reference.of(
            dataset.task, run.described_outputs, run.features, targets, part="test", seed=self._seed
        )
        return found if keep_rows else found.without_rows()

    def score_test(self, outputs: Array, control: tuple[TrialResult, TransferModel] | str) -> dict[str, Any]:
        """Score a bundle on the test part, beside its controls on the same rows.

        Args:
            outputs: What the exported winner gives for the test part.
            control: What was trained from scratch, or why nothing was.

        Returns:
            The record of `run.json`: metric, score, interval, all metrics, trivial and from-scratch scores,
            and the verdict in words.
        """
        dataset, splits, task = self.runner.dataset, self.runner.splits, self.runner.dataset.task
        chosen = metric(task.metric, task.kind)
        targets = dataset.targets[splits.test]
        winner = self._interval(targets, outputs)
        trivial = self._interval(
            targets, trivial_prediction(task, dataset.targets[splits.train], len(targets))
        )
        scratch = None
        reason = extent = ""
        if isinstance(control, str):
            reason = control
        else:
            scratch = self._interval(targets, self.runner.predict(control[1], splits.test))
            extent = f"in {control[0].seconds:.0f} s"
        tested = dataset.take(splits.test)
        self.runner.folder.write_arrays(
            "test_predictions.npz",
            targets=targets,
            predictions=outputs,
            names=np.array(tested.names),
            fingerprints=np.array([content.encode() for content in tested.fingerprints], np.bytes_),
        )
        return {
            "metric": task.metric,
            "score": winner.value,
            "low": winner.low,
            "high": winner.high,
            "n": len(targets),
            "metrics": {name: m(targets, outputs) for name, m in metrics(task.kind).items()},
            "trivial": trivial.value,
            "from_scratch": None if scratch is None else scratch.value,
            "verdict": verdict(
                chosen,
                task.kind,
                winner,
                trivial,
                scratch,
                control_reason=reason,
                control_extent=extent,
            ),
        }

    def leaderboard(
        self, results: list[TrialResult], winner: TrialResult, predicted: Mapping[str, int]
    ) -> Leaderboard:
        """All trials, ranked, with intervals and gains over the default recipe on the validation rows.

        Args:
            results: All trials.
            winner: The chosen one.
            predicted: Rank of each backbone that was expected before the search.
        """
        evidence = self.evidence
        return Leaderboard.from_results(
            results,
            metric=evidence.metric.name,
            greater_is_better=evidence.metric.greater_is_better,
            intervals={r.number: evidence.interval(r) for r in results if is_candidate(r)},
            gains=self._gains(results),
            winner=winner.number,
            predicted=predicted,
        )

    def _gains(self, results: list[TrialResult]) -> dict[int, Interval]:
        """What the best trials gain over trial 0, the default recipe."""
        default = next((r for r in results if r.number == 0 and r.score is not None), None)
        rivals = (r for r in results if r.number and is_candidate(r))
        others = sorted(rivals, key=lambda r: -(r.score or 0.0))
        if default is None:
            return {}
        return {r.number: self.evidence.gain(r, default) for r in others[:_COMPARED_TRIALS]}

    def on_search(
        self,
        winner: TrialResult,
        results: list[TrialResult],
        combined: list[TrialResult],
        seconds: float,
    ) -> tuple[str, ...]:
        """Sentences on what a search gave, and what so many seconds more would bring."""
        chosen = self.evidence.metric
        default = next((r for r in results if r.number == 0 and r.score is not None), None)
        default_won = winner.number == 0
        gain = None if default is None or default_won else self.evidence.gain(winner, default)
        top = 1.0 if chosen.greater_is_better else 0.0
        crossed = default is not None and self.evidence.are_crossed([winner, default])
        noise = self.evidence.interval(winner).standard_error
        trials = [result for result in results if result.left_out is None]
        is_trial = winner.number in {result.number for result in results}
        reached = -math.inf if is_trial or winner.score is None else winner.score
        outlook = expected_gain(trials, seconds, noise, top, reached)
        rivals = [result for result in [*results, *combined] if is_candidate(result)]
        best = max([winner, *rivals], key=lambda r: -math.inf if r.score is None else r.score)
        is_ahead = best.score != winner.score
        has_lead = is_ahead and not _is_outdone_in_crossing(best, rivals)
        trainings = [r for r in results if is_candidate(r) and not r.config.fits_in_one_step]
        is_chance = self.evidence.are_crossed([winner]) and not self.evidence.are_crossed([best])
        return on_search(
            chosen,
            gain,
            outlook,
            default_won=default_won,
            alone=default_won and len(rivals) == 1,
            crossed=crossed,
            ahead=best.number if is_ahead else None,
            lead=self.evidence.gain(best, winner) if has_lead else None,
            rivals=len(trainings) if is_chance else 1,
        )

    def _interval(self, targets: Array, outputs: Array) -> Interval:
        task = self.runner.dataset.task
        return bootstrap_interval(metric(task.metric, task.kind), targets, outputs, seed=self._seed)


def some(splits: Splits, targets: Array, train: int, val: int, seed: int) -> Splits:
    """Splits with at most so many training and validation rows, and no test rows."""
    return Splits(
        spread(targets, splits.train, train, seed),
        spread(targets, splits.val, val, seed),
        np.empty(0, np.int64),
    )


def _is_outdone_in_crossing(best: TrialResult, rivals: Sequence[TrialResult]) -> bool:
    """Whether cross-validation prefers another trial to the one with the best score."""
    scores = {r.number: r.facts["cross_validated"] for r in rivals if "cross_validated" in r.facts}
    return best.number in scores and max(scores, key=scores.__getitem__) != best.number
