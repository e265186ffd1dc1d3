"""Temperature scaling and the expected calibration error. NumPy and SciPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.task import TaskKind

Array = NDArray[Any]

#: Natural logarithms of the temperatures searched: 0.05 to 20.
_LOG_RANGE = (-3.0, 3.0)
#: Parts of the rows that judge a temperature fitted on the others, and the fewest rows that can.
_PARTS, _FEWEST_ROWS = 5, 10
#: Least probability whose logarithm is taken.
_LEAST = 1e-12


def fit_temperature(raw_outputs: Array, targets: Array, kind: TaskKind) -> float:
    """The temperature that lowers the negative log-likelihood most (Guo et al. 2017, section 4.2).

    The likelihood is that of targets which allow for one more row of another class, as in Platt 1999, so that
    rows which are all right do not make the model certain. The temperature is kept only where temperatures
    fitted on other rows lower the mean loss by more than one standard error of the paired difference.

    Args:
        raw_outputs: (V, K) logits of the validation rows.
        targets: (V,) classes, or (V, K) indicators for multilabel.
        kind: The kind of task.

    Returns:
        A divisor of logits from 0.05 to 20; 1.0 for regression, from fewer than ten rows, for logits that
        are not finite, and where no other temperature gains.
    """
    raw = np.asarray(raw_outputs, dtype=np.float64)
    if kind is TaskKind.REGRESSION or len(raw) < _FEWEST_ROWS or not np.isfinite(raw).all():
        return 1.0
    part = np.random.default_rng(0).permutation(len(raw)) % _PARTS
    gains = np.empty(len(raw))
    for number in range(_PARTS):
        held, rest = part == number, part != number
        temperature = _lowest_loss(raw[rest], targets[rest], kind)
        gains[held] = _losses(raw[held], targets[held], kind) - _losses(
            raw[held] / temperature, targets[held], kind
        )
    is_gain = gains.mean() > gains.std() / np.sqrt(len(gains))
    return _lowest_loss(raw, targets, kind) if is_gain else 1.0


def raw_outputs(predicted: Array, kind: TaskKind) -> Array:
    """Logits (V, K) float32 whose probabilities are `predicted` (V, K); values (V, 1) of a regression."""
    if kind is TaskKind.REGRESSION:
        return np.asarray(predicted, np.float32)[:, None]
    likely = np.log(np.clip(predicted, _LEAST, None))
    if kind is TaskKind.MULTILABEL:
        likely = likely - np.log(np.clip(1 - predicted, _LEAST, None))
    return np.asarray(likely, np.float32)


def expected_calibration_error(probability: Array, targets: Array, *, bins: int = 15) -> float:
    """Mean gap of confidence and accuracy over equal bins of confidence, weighted by rows.

    Guo et al. 2017, equation 3.

    Args:
        probability: (N, K) probabilities.
        targets: (N,) classes; or (N, K) indicators, where every label of a row counts for itself.
        bins: Number of bins of confidence.

    Returns:
        From 0 to 1; 0 without rows.
    """
    if targets.ndim == 2:
        confidence, hit = probability.ravel(), targets.ravel().astype(float)
    else:
        confidence, hit = probability.max(axis=1), (probability.argmax(axis=1) == targets).astype(float)
    if not len(confidence):
        return 0.0
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, confidence - hit, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _lowest_loss(raw: Array, targets: Array, kind: TaskKind) -> float:
    """The temperature with the lowest mean loss under some doubt of the targets; 1 where it gains nothing."""
    from scipy.optimize import minimize_scalar

    doubt = 1 / (len(raw) + 2)

    def loss(log_temperature: float) -> float:
        return float(_losses(raw / np.exp(log_temperature), targets, kind, doubt).mean())

    found = minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-4})
    temperature = float(np.exp(found.x))
    is_gain = _losses(raw / temperature, targets, kind).mean() < _losses(raw, targets, kind).mean()
    return temperature if is_gain else 1.0


def _losses(logits: Array, targets: Array, kind: TaskKind, doubt: float = 0.0) -> Array:
    """Negative log-likelihood (N,) of each row; of multilabel, the mean over labels.

    `doubt` is the share of a target that goes to all classes alike.
    """
    if kind is TaskKind.MULTILABEL:
        expected = (1 - doubt) * targets + doubt / 2
        return np.asarray((np.logaddexp(0.0, logits) - logits * expected).mean(axis=1))
    largest = logits.max(axis=1)
    total = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    true = logits[np.arange(len(logits)), targets]
    return np.asarray(total - (1 - doubt) * true - doubt * logits.mean(axis=1))
