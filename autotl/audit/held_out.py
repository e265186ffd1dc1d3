"""Outputs of heads for rows that they were not fitted on, in closed form: nothing is fitted twice.

The outputs for a set of rows without them come from the inverse of the penalised matrix of all rows: their
errors are (A^-1 over them)^-1 times A^-1 y over them (Allen 1974, for more than one row). Sets are units of
copies, which so never vouch for one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.neighbours import standardised
from autotl.data.components import rows_by_code

Array = NDArray[Any]

#: Width of the kernel on the sphere, exp(2 (cosine - 1)), and penalties tried.
_GAMMA, PENALTIES = 2.0, (0.03, 0.1, 0.3, 1.0, 3.0)
#: Rows that the penalty is chosen on.
_CHOICE_ROWS = 1000
#: Penalty of linear heads, as a share of the summed variance of all columns.
_LINEAR_PENALTY = 0.1
#: Leverage that rows keep at most: beyond, leaving them out leaves nothing that speaks of them.
_MOST_LEVERAGE = 1.0 - 1e-4
#: Factors that may turn least-squares outputs of class indicators into logits.
_SHARPNESS = tuple(2.0**power for power in range(8))


def kernel_outputs(unit: Array, columns: Array, units: Array) -> Array:
    """Kernel ridge outputs for each row of a fit without the row's whole unit.

    Args:
        unit: (N, F) features of length 1, as of `directions`.
        columns: (N, K) values or indicators.
        units: (N,) int64; rows of one unit are left out together.

    Returns:
        (N, K) float64.
    """
    penalty = _best_penalty(unit, columns, units)
    return _kernel_outputs(unit, columns, units, penalty)


def linear_outputs(features: Array, columns: Array, units: Array) -> Array:
    """The like of a linear ridge head on few features (N, F), standardised."""
    from scipy.linalg import solve_triangular

    x = standardised(features.astype(np.float64))
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += _LINEAR_PENALTY * max(float(np.trace(gram)), 1e-12) / len(x)
    white = solve_triangular(np.linalg.cholesky(gram), x.T, lower=True).T  # the hat matrix is white @ white.T
    mean = columns.mean(axis=0)
    errors = columns - mean - white @ (white.T @ (columns - mean))
    leverage = np.square(white).sum(axis=1) + 1.0 / len(x)
    grown = errors / (1.0 - leverage.clip(max=_MOST_LEVERAGE))[:, None]
    for rows in _shared(units):
        hat = white[rows] @ white[rows].T + 1.0 / len(x)
        grown[rows] = np.linalg.solve(np.eye(len(rows)) - _MOST_LEVERAGE * hat, errors[rows])
    return np.asarray(columns - grown)


def probabilities(outputs: Array, columns: Array) -> Array:
    """Softmax (N, K) of held-out outputs, as sharp as the log loss of the columns likes it best."""
    from scipy.special import softmax

    found = [softmax(factor * outputs, axis=1) for factor in _SHARPNESS]
    losses = [float(-np.log((p * columns).sum(axis=1).clip(1e-12)).sum()) for p in found]
    return np.asarray(found[int(np.argmin(losses))])


def _best_penalty(unit: Array, columns: Array, units: Array) -> float:
    """The penalty whose outputs err least on some rows, one of each unit."""
    first = np.sort(np.unique(units, return_index=True)[1])
    some = np.random.default_rng(0).permutation(first)[:_CHOICE_ROWS]
    alone, sampled = np.arange(len(some)), columns[some]
    errors = []
    for penalty in PENALTIES:
        outputs = _kernel_outputs(unit[some], sampled, alone, penalty)
        errors.append(float(np.square(outputs - sampled).sum()))
    return PENALTIES[int(np.argmin(errors))]


def _kernel_outputs(unit: Array, columns: Array, units: Array, penalty: float) -> Array:
    inverse = _inverse(unit, penalty)
    centred = columns - columns.mean(axis=0)
    solved = inverse @ centred
    errors = solved / np.diag(inverse)[:, None]
    for rows in _shared(units):
        errors[rows] = np.linalg.solve(inverse[np.ix_(rows, rows)], solved[rows])
    return np.asarray(columns - errors)


def _inverse(unit: Array, penalty: float) -> Array:
    """(K + penalty)^-1 (N, N) of the kernel matrix K, by Cholesky."""
    from scipy.linalg import lapack

    matrix = (unit @ unit.T).astype(np.float64, order="F")
    np.exp(_GAMMA * (matrix - 1.0), out=matrix)
    matrix[np.diag_indices_from(matrix)] += penalty
    factor, _ = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    lower, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def _shared(units: Array) -> Sequence[Array]:
    """The rows of each unit that has several."""
    return [rows for rows in rows_by_code(units) if len(rows) > 1]
