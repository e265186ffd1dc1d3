"""Whether classes are predicted as often as they were, and how often they truly occur if they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring.ranks import fisher_test

Array = NDArray[Any]

_SIMULATIONS = 1999
#: Least singular value of the confusion matrix that is inverted: noise grows by its inverse.
_LEAST_SINGULAR = 0.05
#: Reference rows that a class is known by, at least.
_FEWEST_OF_A_CLASS = 5


@dataclass(frozen=True)
class ShareChange:
    """How shares of classes or labels differ.

    Attributes:
        statistic: G, or for labels the least p-value of one.
        p_value: Chance of such a difference.
        effect: Share of rows that moved to other classes, what sampling moves allowed for; for labels the
            change of the share of the label that changed most surely.
    """

    statistic: float
    p_value: float
    effect: float


def class_change(counts: Array, reference: Array, generator: np.random.Generator) -> ShareChange:
    """Compare counts of predicted classes (K,) with those of the reference (K,).

    The G-test of homogeneity; its p-value is that of random tables with the same margins, because many
    classes make for small counts. The effect is the total variation distance less its mean over those tables.
    """
    both = counts + reference
    new, old = int(counts.sum()), int(reference.sum())
    tables = generator.multivariate_hypergeometric(both, new, size=_SIMULATIONS, method="marginals")
    drawn = np.concatenate([counts[None], tables]).astype(np.float64)
    found, distances = _g(drawn, both), np.abs(drawn / new - (both - drawn) / old).sum(axis=1) / 2
    p_value = (1 + np.sum(found[1:] >= found[0] - 1e-9)) / (_SIMULATIONS + 1)
    moved = np.sqrt(max(0.0, float(distances[0] ** 2 - distances[1:].mean() ** 2)))
    return ShareChange(float(found[0]), float(p_value), float(moved))


def label_change(counts: Array, rows: int, reference: Array, reference_rows: int) -> ShareChange:
    """Compare how often each of K labels is given, counts (K,), with the reference (K,).

    Fisher's exact test a label; the least p-value times K (Bonferroni), whatever labels go together.
    """
    p_values = [
        fisher_test(int(count), rows, int(before), reference_rows)
        for count, before in zip(counts, reference, strict=True)
    ]
    surest = int(np.argmin(p_values))
    change = abs(float(counts[surest]) / rows - float(reference[surest]) / reference_rows)
    return ShareChange(p_values[surest], min(1.0, p_values[surest] * len(p_values)), change)


def true_shares(predicted: Array, confusion: Array) -> Array | None:
    """Estimate true class shares (K,) from predicted ones, the classifier's confusion known.

    Black box shift estimation (Lipton, Wang and Smola 2018): it holds where inputs of a class look as they
    did and only the classes' shares changed.

    Args:
        predicted: (K,) shares of predicted classes.
        confusion: (K, K) reference counts, predicted class by true class.

    Returns:
        The estimate, None where the confusion is not known well enough to be inverted.
    """
    of_class = confusion.sum(axis=0)
    if of_class.min() < _FEWEST_OF_A_CLASS:
        return None
    given_class = confusion / of_class
    if np.linalg.svd(given_class, compute_uv=False)[-1] < _LEAST_SINGULAR:
        return None
    shares = np.clip(np.linalg.solve(given_class, predicted), 0, None)
    return np.asarray(shares / shares.sum())


def _g(tables: Array, both: Array) -> Array:
    """G of each table (S, K): of new rows, the rest of `both` being the reference's."""
    kept = both > 0
    tables, both = tables[:, kept], both[kept].astype(np.float64)
    total = both.sum()
    found = np.zeros(len(tables))
    for part in (tables, both - tables):
        expected = part.sum(axis=1, keepdims=True) * both / total
        with np.errstate(divide="ignore", invalid="ignore"):
            found += 2 * np.where(part > 0, part * np.log(part / expected), 0.0).sum(axis=1)
    return found
