"""`Monitor`: compares new rows with the reference of a bundle, one question after the other.

Asked is whether inputs look the same, whether some lie outside of all that was seen, whether the same classes
are predicted as often, and whether the model is as sure. A difference counts as drift where it is both
significant, after Holm's correction for asking several questions, and large: with rows enough every
difference is significant, and with few rows chance alone makes large ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autotl.errors import DataError, SettingsError
from autotl.modalities.modality import Item
from autotl.serve.bundle import BundleInfo
from autotl.serve.monitoring import words
from autotl.serve.monitoring.findings import DriftReport, Finding, Status
from autotl.serve.monitoring.questions import (
    NewRows,
    Pairs,
    ask_confidence,
    ask_inputs,
    ask_outliers,
    ask_predictions,
    pairs,
)
from autotl.serve.monitoring.ranks import holm
from autotl.serve.monitoring.reference import FEWEST_ROWS, Reference, counts, read_reference, strata
from autotl.serve.monitoring.shares import true_shares
from autotl.serve.monitoring.two_sample import discrepancy_test, separability
from autotl.serve.predictor import Predictor
from autotl.task import Task, TaskKind

Array = NDArray[Any]

#: Chance, at most, that a check of rows without drift reports one.
ALPHA = 0.01
#: Differences from which on drift matters. Inputs and confidence: chance to rank a new row above a held-out
#: one, of which Vargha and Delaney 2000 call 0.56 small and 0.64 medium. The others: share of rows far out
#: beyond the expected, of rows in other classes, change of a label's share, distance of distributions.
LEAST_EFFECTS = {
    "inputs": 0.6,
    "outliers": 0.05,
    "classes": 0.1,
    "labels": 0.1,
    "values": 0.15,
    "confidence": 0.6,
}
#: Share of outliers from which on they are no exception: the inputs as a whole have changed.
_MOSTLY_OUTSIDE = 0.5


class Monitor:
    """Checks new rows against a reference.

    Args:
        task: What the model predicts.
        reference: What it was measured on.
        alpha: Chance, at most, that a check of rows without drift reports one.
        seed: Of permutations and samples; the same rows give the same report.

    Raises:
        SettingsError: No such level of significance.
    """

    def __init__(self, task: Task, reference: Reference, *, alpha: float = ALPHA, seed: int = 0) -> None:
        if not 0 < alpha < 1:
            raise SettingsError(
                "alpha is no level of significance", found=alpha, expected="a number between 0 and 1"
            )
        self.task, self.reference, self._alpha, self._seed = task, reference, alpha, seed

    @classmethod
    def of(cls, bundle: BundleInfo, *, alpha: float = ALPHA, seed: int = 0) -> Self:
        """The monitor of a bundle.

        Raises:
            BundleError: The bundle has no statistics, or they are malformed.
        """
        return cls(bundle.task, read_reference(bundle), alpha=alpha, seed=seed)

    def check_items(self, predictor: Predictor, items: Iterable[Item], batch_size: int = 32) -> DriftReport:
        """Check raw inputs, run through the bundle.

        Raises:
            DecodeError: An item is unreadable.
        """
        return self.check(*predictor.outputs(items, batch_size))

    def check(self, outputs: Array, features: Array) -> DriftReport:
        """Check rows that the model has seen.

        Args:
            outputs: (N, K) probabilities or (N,) values, as `Predictor.predict_proba` gives them.
            features: (N, F), as `Predictor.embed` gives them.

        Raises:
            DataError: The shapes are not those of the bundle, or a value is not finite.
        """
        self._refuse_misfits(outputs, features)
        reference = self.reference
        common = (len(features), reference.count, reference.part, self._alpha)
        fewest = min(len(features), reference.count)
        if fewest < FEWEST_ROWS:
            return DriftReport(*common, False, (), words.too_few(len(features), reference, FEWEST_ROWS))
        sketch, generator = reference.sketch, np.random.default_rng(self._seed)
        distances = sketch.distances(sketch.project(features))
        new = NewRows(outputs, sketch.plain(features), distances, generator)
        compared = pairs(new, reference) if reference.has_rows else None
        asked = [
            ask_inputs(compared, generator),
            ask_outliers(new, reference),
            ask_predictions(new, reference, self.task),
            ask_confidence(new, reference, self.task),
        ]
        findings = self._explain(self._judge(asked), new, compared)
        return DriftReport(*common, True, findings, words.summary(findings, *common[:2]))

    # --- the answers ---------------------------------------------------------------------------------------

    def _judge(self, asked: list[Finding]) -> list[Finding]:
        """Correct for the number of questions, and weigh size beside significance."""
        answered = [finding for finding in asked if finding.p_value is not None]
        corrected = dict(
            zip(
                (finding.name for finding in answered),
                holm([finding.p_value for finding in answered if finding.p_value is not None]),
                strict=True,
            )
        )
        found = []
        for finding in asked:
            if finding.name not in corrected or finding.effect is None:
                found.append(finding)
                continue
            p_value, least = corrected[finding.name], LEAST_EFFECTS[finding.name]
            large = Status.DRIFT if finding.effect >= least else Status.SMALL
            status = large if p_value <= self._alpha else Status.NONE
            found.append(replace(finding, status=status, corrected=p_value, least_effect=least))
        return found

    def _explain(self, findings: list[Finding], new: NewRows, compared: Pairs | None) -> tuple[Finding, ...]:
        """See whether outliers or shares of classes are all that changed the inputs; correct those shares."""
        by_name = {finding.name: finding for finding in findings}
        drifted = {name for name, finding in by_name.items() if finding.status is Status.DRIFT}
        causes = drifted & {"outliers", "classes"}
        mostly_outside = (by_name["outliers"].more or {})["share"] >= _MOSTLY_OUTSIDE
        may_be_explained = "inputs" in drifted and bool(causes) and not mostly_outside
        if may_be_explained and compared is not None and not self._is_left(new, compared, causes):
            named = " and ".join(words.CAUSES[cause] for cause in sorted(causes))
            explained = f"{by_name['inputs'].words}, explained by {named}"
            by_name["inputs"] = replace(by_name["inputs"], status=Status.EXPLAINED, words=explained)
            drifted.discard("inputs")
        if "classes" in drifted and "inputs" not in drifted:
            by_name["classes"] = self._with_true_shares(by_name["classes"], new)
        return tuple(by_name.values())

    def _is_left(self, new: NewRows, compared: Pairs, causes: set[str]) -> bool:
        """Whether inputs still differ among rows that are not far out, or within predicted classes."""
        keep, of_class = np.ones(len(compared.is_new), bool), np.zeros(len(compared.is_new), np.int64)
        if "outliers" in causes:
            far = [self.reference.arrays["row_distances"], new.distances[compared.chosen]]
            keep = np.concatenate(far) <= self.reference.threshold
        if "classes" in causes:
            predicted = strata(self.task, new.outputs)[compared.chosen]
            of_class = np.concatenate([self.reference.arrays["row_classes"], predicted])
        kernel, is_new, of_class = compared.kernel[np.ix_(keep, keep)], compared.is_new[keep], of_class[keep]
        found = discrepancy_test(kernel, is_new, of_class, new.generator)
        if found is None:
            return True
        effect = separability(kernel, is_new, of_class, new.generator)
        return found[1] <= self._alpha and effect >= LEAST_EFFECTS["inputs"]

    def _with_true_shares(self, finding: Finding, new: NewRows) -> Finding:
        confusion = self.reference.arrays.get("confusion")
        if confusion is None:
            return finding
        predicted = counts(self.task, self.task.decide(new.outputs)) / len(new)
        estimate = true_shares(predicted, confusion)
        if estimate is None:
            return finding
        named = dict(zip(self.task.classes, map(float, estimate), strict=True))
        return replace(finding, more={**(finding.more or {}), "estimated_true_shares": named})

    def _refuse_misfits(self, outputs: Array, features: Array) -> None:
        shape = (
            (len(features),) if self.task.kind is TaskKind.REGRESSION else (len(features), self.task.outputs)
        )
        width = len(self.reference.sketch.mean)
        if features.ndim != 2 or features.shape[1] != width or outputs.shape != shape:
            raise DataError(
                "outputs and features are not those of the bundle",
                found=f"shapes {outputs.shape} and {features.shape}",
                expected=f"{shape} and {(len(features), width)}",
            )
        if not (np.isfinite(outputs).all() and np.isfinite(features).all()):
            raise DataError("the model gave values that are not finite", expected="finite outputs")
