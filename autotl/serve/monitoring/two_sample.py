"""Whether two sets of embeddings come from one distribution: maximum mean discrepancy, tested by permutation.

Gretton et al. 2012, "A kernel two-sample test": the unbiased estimate (equation 3), a Gaussian kernel whose
width is the median distance. Labels of rows are permuted within strata, so that a difference between classes
is not taken for one within them. How far the two can be told apart is said by the area under the ROC curve of
the kernel's witness function, fitted on one half of the rows and read on the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring.ranks import superiority

Array = NDArray[Any]

_PERMUTATIONS = 999
#: Rows of one set in one stratum below which it says nothing.
_FEWEST_IN_STRATUM = 4
_HALVINGS = 4


def gaussian_kernel(rows: Array) -> Array:
    """(N, N) float32 kernel of rows (N, P), its squared width the median squared distance."""
    norms = np.sum(rows**2, axis=1)
    squares = np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0)
    width = float(np.median(squares[np.triu_indices(len(rows), 1)]))
    return np.asarray(np.exp(-squares / (width or 1.0)), np.float32)


def discrepancy_test(
    kernel: Array, is_new: Array, strata: Array, generator: np.random.Generator
) -> tuple[float, float] | None:
    """Test whether reference and new rows come from one distribution within each stratum.

    Args:
        kernel: (N, N) of all rows.
        is_new: (N,) bool.
        strata: (N,) integers; rows of unlike strata are not compared.
        generator: Permutes.

    Returns:
        The squared discrepancy, a mean over strata weighted by m n / (m + n), and its p-value; None where no
        stratum has four rows of both sets.
    """
    total, weights = np.zeros(_PERMUTATIONS + 1), 0.0
    for rows in _comparable(is_new, strata):
        new = int(is_new[rows].sum())
        old = len(rows) - new
        weight = old * new / len(rows)
        total += weight * _discrepancies(kernel[np.ix_(rows, rows)], is_new[rows], generator)
        weights += weight
    if not weights:
        return None
    observed, permuted = total[0] / weights, total[1:] / weights
    return float(observed), float((1 + np.sum(permuted >= observed - 1e-12)) / (_PERMUTATIONS + 1))


def separability(kernel: Array, is_new: Array, strata: Array, generator: np.random.Generator) -> float:
    """How well new rows can be told from reference rows: 0.5 not at all, 1 always.

    The witness function of one half of the rows, mean kernel to new rows less that to reference rows, ranks
    those of the other half; the area under the ROC curve, mean over halvings and strata.
    """
    total, weights = 0.0, 0.0
    for rows in _comparable(is_new, strata):
        old, new = rows[~is_new[rows]], rows[is_new[rows]]
        weight = len(old) * len(new) / len(rows)
        areas = [
            _halved(kernel, generator.permutation(old), generator.permutation(new)) for _ in range(_HALVINGS)
        ]
        total += weight * float(np.mean(areas))
        weights += weight
    return total / weights if weights else 0.5


def _comparable(is_new: Array, strata: Array) -> list[Array]:
    """Row numbers of each stratum with enough rows of both sets."""
    found = (np.flatnonzero(strata == stratum) for stratum in np.unique(strata))
    return [rows for rows in found if min(is_new[rows].sum(), (~is_new[rows]).sum()) >= _FEWEST_IN_STRATUM]


def _discrepancies(kernel: Array, is_new: Array, generator: np.random.Generator) -> Array:
    """Squared discrepancy as it is, first, and of every permutation, (1 + permutations,) float64."""
    count = len(is_new)
    columns = np.repeat(is_new[:, None], _PERMUTATIONS + 1, axis=1)
    columns[:, 1:] = generator.permuted(columns[:, 1:], axis=0)
    chosen = columns.astype(np.float32)
    n = int(is_new.sum())
    m = count - n
    sums = kernel.sum(axis=1, dtype=np.float64)
    within_new = np.einsum("ij,ij->j", chosen, kernel @ chosen, dtype=np.float64)
    from_new = sums @ columns
    across = from_new - within_new
    within_old = sums.sum() - from_new - across
    trace = float(np.trace(kernel)) / count
    return np.asarray(
        (within_new - n * trace) / (n * (n - 1))
        + (within_old - m * trace) / (m * (m - 1))
        - 2 * across / (m * n)
    )


def _halved(kernel: Array, old: Array, new: Array) -> float:
    areas = []
    for fitted in (0, 1):
        old_fitted, old_read = old[fitted::2], old[1 - fitted :: 2]
        new_fitted, new_read = new[fitted::2], new[1 - fitted :: 2]
        read = np.concatenate([old_read, new_read])
        witness = kernel[np.ix_(read, new_fitted)].mean(axis=1) - kernel[np.ix_(read, old_fitted)].mean(
            axis=1
        )
        areas.append(superiority(witness[len(old_read) :], witness[: len(old_read)]))
    return float(np.mean(areas))
