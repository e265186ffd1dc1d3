"""The questions that a check asks of new rows: each a function from rows and reference to a `Finding`.

What the answers mean together is `monitor`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring import words
from autotl.serve.monitoring.findings import Finding, Status
from autotl.serve.monitoring.ranks import exceedance_test, kolmogorov_smirnov_test, rank_sum_test
from autotl.serve.monitoring.reference import Reference, certainties, counts
from autotl.serve.monitoring.shares import class_change, label_change
from autotl.serve.monitoring.two_sample import discrepancy_test, gaussian_kernel, separability
from autotl.task import Task, TaskKind

Array = NDArray[Any]

#: New rows that are compared with the reference by their embeddings, at most: a sample of more.
_MOST_COMPARED = 1024


@dataclass(frozen=True)
class NewRows:
    """New rows as the questions see them.

    Attributes:
        outputs: (N, K) probabilities or (N,) values.
        plain: (N, P) embeddings in the coordinates of the reference's rows.
        distances: (N,) out-of-distribution scores.
        generator: For permutations and samples.
    """

    outputs: Array
    plain: Array
    distances: Array
    generator: np.random.Generator

    def __len__(self) -> int:
        return len(self.plain)


@dataclass(frozen=True)
class Pairs:
    """Reference rows and new rows beside each other.

    Attributes:
        kernel: (M + C, M + C), reference rows first.
        is_new: (M + C,) bool.
        chosen: (C,) numbers of the new rows among them.
    """

    kernel: Array
    is_new: Array
    chosen: Array


def pairs(new: NewRows, reference: Reference) -> Pairs:
    """Compare all kept reference rows with all new ones, or with a sample."""
    chosen = np.arange(len(new))
    if len(new) > _MOST_COMPARED:
        chosen = np.sort(new.generator.permutation(len(new))[:_MOST_COMPARED])
    rows = reference.arrays["rows"]
    alike = new.plain[chosen].astype(rows.dtype)  # rounding must not tell the sets apart
    kernel = gaussian_kernel(np.concatenate([rows, alike]).astype(np.float32))
    return Pairs(kernel, np.arange(len(kernel)) >= len(rows), chosen)


def ask_inputs(compared: Pairs | None, generator: np.random.Generator) -> Finding:
    """Do embeddings come from the same distribution?"""
    if compared is None:
        return Finding("inputs", Status.SKIPPED, "embeddings of held-out rows were left out of the bundle")
    together = np.zeros(len(compared.is_new), np.int64)
    statistic, p_value = discrepancy_test(compared.kernel, compared.is_new, together, generator) or (0.0, 1.0)
    effect = separability(compared.kernel, compared.is_new, together, generator)
    return Finding(
        "inputs",
        Status.NONE,
        f"AUC {effect:.2f} of telling new from held-out",
        "maximum mean discrepancy, permuted",
        statistic,
        p_value,
        effect=effect,
        effect_name="area under the ROC curve, new against held-out rows",
    )


def ask_outliers(new: NewRows, reference: Reference) -> Finding:
    """Do more rows lie far out than did?"""
    known = len(reference.arrays["distances"])
    above = int(np.sum(new.distances > reference.threshold))
    expected = reference.threshold_rank / (known + 1)
    return Finding(
        "outliers",
        Status.NONE,
        f"{above / len(new):.0%} far out, {expected:.0%} expected",
        "Mahalanobis distance, beta-binomial",
        float(above),
        exceedance_test(above, len(new), reference.threshold_rank, known),
        effect=max(0.0, above / len(new) - expected),
        effect_name="share of rows far out beyond the expected",
        more={"share": above / len(new), "threshold": reference.threshold},
    )


def ask_predictions(new: NewRows, reference: Reference, task: Task) -> Finding:
    """Are the same classes, labels or values predicted as often?"""
    if task.kind is TaskKind.REGRESSION:
        return _ask_values(new, reference)
    before, now = reference.arrays["predicted"], counts(task, task.decide(new.outputs))
    shares, old_shares = now / len(new), before / reference.count
    if task.kind is TaskKind.MULTILABEL:
        name, test = "labels", "Fisher's exact test a label, Bonferroni"
        change = label_change(now, len(new), before, reference.count)
        effect_name = "change of the share of one label"
    else:
        name, test = "classes", "G-test of predicted classes, simulated"
        change = class_change(now, before, new.generator)
        effect_name = "share of rows that moved to other classes, sampling allowed for"
    more = {
        "shares": dict(zip(task.classes, map(float, shares), strict=True)),
        "reference_shares": dict(zip(task.classes, map(float, old_shares), strict=True)),
    }
    return Finding(
        name,
        Status.NONE,
        words.largest_change(task.classes, shares, old_shares),
        test,
        change.statistic,
        change.p_value,
        effect=change.effect,
        effect_name=effect_name,
        more=more,
    )


def _ask_values(new: NewRows, reference: Reference) -> Finding:
    before = reference.arrays["values"]
    statistic, p_value = kolmogorov_smirnov_test(new.outputs, before)
    return Finding(
        "values",
        Status.NONE,
        f"mean {words.figure(new.outputs.mean())}, was {words.figure(before.mean())}",
        "Kolmogorov-Smirnov",
        statistic,
        p_value,
        effect=statistic,
        effect_name="largest difference of the distribution functions",
    )


def ask_confidence(new: NewRows, reference: Reference, task: Task) -> Finding:
    """Is the model less sure?"""
    if task.kind is TaskKind.REGRESSION:
        return Finding("confidence", Status.SKIPPED, "a regression does not say how sure it is")
    before, now = reference.arrays["certainties"], certainties(task, new.outputs)
    chance, p_value = rank_sum_test(now, before)
    return Finding(
        "confidence",
        Status.NONE,
        f"mean {now.mean():.2f}, was {before.mean():.2f}",
        "Mann-Whitney, one-sided",
        chance,
        p_value,
        effect=chance,
        effect_name="chance that a new row is less sure than a held-out one",
    )
