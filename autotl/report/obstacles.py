"""What seems to hold the score of a run back, in sentences: each is read off what the run recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autotl.report import words
from autotl.report.recorded import mapping, number, plain, sequence

if TYPE_CHECKING:
    from autotl.report.summarize import Summary

_MOST = 4
#: Errors below which nothing is made of where they lie, and the share of them that two classes must hold.
_FEWEST_ERRORS, _CONCENTRATED = 8, 0.3
#: Training rows of a class below which more of them are the first thing to ask for.
_FEW_ROWS = 30
#: Half the width of the interval, as a share of its range, from which the test part itself is too small.
_WIDE = 0.03
_DOUBTFUL = "suspect_label"


def obstacles(summary: Summary) -> tuple[str, ...]:
    """The first few that apply, those that a person can do something about before others."""
    found = [*_labels(summary), *_confusions(summary), *_rows(summary), *_epochs(summary)]
    return tuple([*found, *_shift(summary), *_backbones(summary), *_test_part(summary)][:_MOST])


def _labels(summary: Summary) -> Iterator[str]:
    for finding in summary.findings:
        rows = len(sequence(finding.get("rows")))
        if finding.get("kind") == _DOUBTFUL and rows:
            yield (
                f"Labels: {words.count(rows)} {'row looks' if rows == 1 else 'rows look'} mislabelled "
                "(under Audit). Where they are, no model can be right on them."
            )


def _confusions(summary: Summary) -> Iterator[str]:
    found = summary.mistakes
    if found is None or not found.pairs or len(found.classes) < 3 or (found.wrong or 0) < _FEWEST_ERRORS:
        return
    between: dict[frozenset[str], int] = {}
    for pair in found.pairs:
        classes = frozenset((pair.true, pair.predicted))
        between[classes] = between.get(classes, 0) + pair.count
    classes, count = max(between.items(), key=lambda item: item[1])
    if found.wrong and count / found.wrong >= _CONCENTRATED:
        one, other = sorted(classes)
        yield (
            f"Confusion: {words.share(count / found.wrong)} of the errors lie between "
            f"{words.clip(one, 40)} and {words.clip(other, 40)}; more examples of these two, or a clearer "
            "line between them, would help most."
        )


def _rows(summary: Summary) -> Iterator[str]:
    counts = {
        plain(k): n for k, v in mapping(summary.profile.get("class_counts")).items() if (n := number(v))
    }
    few = [name for name, count in counts.items() if count < _FEW_ROWS]
    if few:
        smallest = min(few, key=lambda name: counts[name])
        others = f" ({len(few)} classes have fewer than {_FEW_ROWS})" if len(few) > 1 else ""
        yield (
            f"Rows: {words.clip(smallest, 40)} has {words.count(counts[smallest])} training rows{others}; "
            "more of them are the surest gain."
        )


def _epochs(summary: Summary) -> Iterator[str]:
    chosen = summary.winner.get("trial")
    curve = next((curve for curve in summary.curves if curve.trial == chosen), None)
    if curve is None or len(curve.scores) < 3:
        return
    best = max(curve.scores) if summary.greater_is_better else min(curve.scores)
    if curve.scores[-1] == best and curve.scores[-2] != best:
        yield "Time: the winner was still improving at its last epoch; a longer run should gain."


def _shift(summary: Summary) -> Iterator[str]:
    shifts = [mapping(shift) for shift in sequence(summary.profile.get("shifts"))]
    shifts = [s for s in shifts if s.get("backbone") == summary.winner.get("backbone")] or shifts
    if shifts and all(shift.get("level") == "far" for shift in shifts):
        yield (
            "Distance: the inputs look unlike what the backbones were trained on, so there is less to "
            "transfer; a backbone of a nearer domain would help."
        )


def _backbones(summary: Summary) -> Iterator[str]:
    names = [plain(backbone.get("name")) for backbone in summary.backbones if backbone.get("included")]
    missing = sum(
        not backbone.get("included") and plain(backbone.get("reason")).startswith("unavailable")
        for backbone in summary.backbones
    )
    if missing:
        yield (
            f"Backbones: {len(names)} could be used, and the weights of {missing} others could not be "
            "had here; with a model hub in reach larger ones join."
        )


def _test_part(summary: Summary) -> Iterator[str]:
    result = summary.outcome
    if not result.greater_is_better or result.low is None or result.high is None or not result.n:
        return
    if not 0 <= result.low <= result.high <= 1:
        return
    half = (result.high - result.low) / 2
    if half >= _WIDE:
        yield (
            f"Test part: with {words.count(result.n)} rows the score is known to about {half:.2f} either "
            "way; more test rows would say more than a better model."
        )
