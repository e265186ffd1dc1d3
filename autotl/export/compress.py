"""Decides whether a bundle ships a smaller graph: only where it is nearly as good, and clearly faster, here.

Both graphs answer the same held-out rows from raw input on, and take turns at single rows for their speed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from autotl.errors import ExportError
from autotl.export.bundle import LIMITS, rewriting, seal
from autotl.export.quantize import HALF, corrected, methods_for, smaller
from autotl.export.raw import drop_raw_graph
from autotl.graph.build import Builder
from autotl.graph.session import open_session
from autotl.modalities.modality import Feeds, Item
from autotl.serve.bundle import MODEL, read_bundle
from autotl.serve.evidence import Answers
from autotl.serve.parity import Parity, prove
from autotl.serve.predictor import Predictor
from autotl.task import Metric, metric

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
#: Where a manifest tells of it.
KEY = "compression"
#: How far the score may fall: so much where scores are shares, else as a share of the score.
LARGEST_FALL = 0.005
LEAST_SPEEDUP = 1.2
#: Two shares that differ by exactly what is allowed differ by a little more in floating point.
_ROUNDING = 1e-9
_TIMED_RUNS = 20


@dataclass(frozen=True)
class Rows:
    """What a smaller graph is made and judged with.

    Attributes:
        calibration: Raw training inputs from which ranges of activations follow, a hundred or so.
        items: N raw inputs on which it is judged.
        targets: Their labels or values as `Task` has them.
    """

    calibration: Sequence[Item]
    items: Sequence[Item]
    targets: Array


@dataclass(frozen=True)
class Compression:
    """What came of a smaller graph.

    Attributes:
        method: How it was made.
        kept: Whether the bundle ships it.
        reason: In words, with figures.
        rows: Rows on which both were scored.
        score_before: Of the graph in single precision, by the task's metric.
        score_after: Of the smaller one.
        speedup: How many times as fast it predicts a single row here.
        bytes_before, bytes_after: Sizes of the two files.
        before_final_fit: Whether the model of these figures is that before the final fit, for which alone the
            rows are new.
    """

    method: str
    kept: bool
    reason: str
    rows: int
    score_before: float
    score_after: float
    speedup: float
    bytes_before: int
    bytes_after: int
    before_final_fit: bool = False

    @property
    def words(self) -> str:
        """What came of it, in one line."""
        return f"{self.method} {'is shipped' if self.kept else 'is left out'}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def compress(
    folder: Path,
    rows: Rows,
    form: str = "int8",
    *,
    threads: int | None = None,
    judged: Compression | None = None,
) -> Compression:
    """Ship a smaller graph in place of a bundle's own where that pays; bundle and card tell what came of it.

    Args:
        folder: The bundle.
        rows: What to calibrate and to judge with.
        form: "int8", timed on the CPU, or "fp16", timed on the GPU that it is for.
        threads: Threads of the runtime; None for all cores that the process may use.
        judged: What came of it for the same model before its final fit, to which the rows were new. That
            settles whether and how this one is made smaller: rows that it was fitted on cannot judge it.

    Returns:
        What came of it.

    Raises:
        BundleError: The bundle is malformed.
        ExportError: It ships a smaller graph already; there is no GPU to time "fp16" on.
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    device = "cuda" if form == HALF else "cpu"
    before = Predictor(folder, threads=threads, device=device)
    if is_compressed(folder):
        raise ExportError(
            "the bundle ships a smaller graph already",
            found=before.bundle.manifest[KEY]["method"],
            expected="one in single precision",
            hint="Export the trial again: autotl export RUN --trial N",
        )
    import onnx

    graph, is_made = onnx.load(before.bundle.model), judged is None or judged.kept
    features = before.embed(rows.calibration) if is_made and form != HALF else None
    with rewriting(folder) as (new, manifest):

        def make(method: str) -> Predictor:
            def reopened(graph: onnx.ModelProto) -> Predictor:
                return _reopened(new, manifest, graph, threads, device)

            return _made(graph, method, before, rows.calibration, features, reopened)

        if judged is None:
            told, after = _chosen(methods_for(graph, form), before, rows, make)
        else:
            told, after = judged, make(judged.method) if is_made else None
        if after is None:
            shutil.copyfile(before.bundle.model, new / MODEL)
        else:
            drop_raw_graph(new, manifest)
            manifest["parity"] = {MODEL: _certificate(after, rows).to_json()}
            manifest["metrics"].pop("test", None)  # of the former graph
            manifest.pop(LIMITS, None)
        manifest[KEY] = told.to_json()
    return told


def check_form(form: str) -> None:
    """Make sure, before anything else takes its time, that such a graph could be judged here.

    Raises:
        MissingExtraError: It needs a device that ONNX Runtime cannot run on here.
    """
    if form == HALF:
        open_session(_nothing(), threads=1, device="cuda")


def is_compressed(folder: Path) -> bool:
    """Whether a bundle ships a smaller graph than the one that was exported."""
    told = read_bundle(folder, check=False).manifest.get(KEY)
    return isinstance(told, dict) and bool(told.get("kept"))


def _chosen(
    methods: Iterable[str], before: Predictor, rows: Rows, make: Callable[[str], Predictor]
) -> tuple[Compression, Predictor | None]:
    """The first way to make a graph smaller that pays, and the bundle with it; else the last, and none."""
    score = _score(before, rows)
    for method in methods:
        after = make(method)
        told = _judge(method, before, after, rows, score)
        if told.kept:
            return told, after
    return told, None


def _made(
    graph: onnx.ModelProto,
    method: str,
    before: Predictor,
    calibration: Sequence[Item],
    features: Array | None,
    reopened: Callable[[onnx.ModelProto], Predictor],
) -> Predictor:
    """The bundle with a smaller graph, the mean of its features that of `features`, where they are given."""
    made = smaller(graph, method, _feeds(before, calibration))
    after = reopened(made)
    if features is None:
        return after
    return reopened(corrected(made, (after.embed(calibration) - features).mean(axis=0)))


def _nothing() -> onnx.ModelProto:
    """The least graph that a device can run."""
    from onnx import TensorProto, helper

    build = Builder()
    build.add("Identity", ["x"], "y")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    return build.model("nothing", [x], [y])


def _reopened(
    folder: Path, manifest: dict[str, Any], graph: onnx.ModelProto, threads: int | None, device: str
) -> Predictor:
    """A bundle with another graph in it."""
    (folder / MODEL).write_bytes(graph.SerializeToString())
    seal(folder, manifest)
    return Predictor(folder, threads=threads, device=device)


def _feeds(predictor: Predictor, items: Sequence[Item]) -> Iterator[Feeds]:
    """Inputs of the graph, one by one; nothing is decoded for a method that asks for none."""
    for example in predictor.decode(items):
        yield predictor.feeds([example])


def _judge(method: str, before: Predictor, after: Predictor, rows: Rows, score: float) -> Compression:
    """Compare a smaller graph with the one in single precision, whose score is known."""
    smaller, speedup = _score(after, rows), _speedup(before, after, rows.items)
    judge = metric(before.task.metric, before.task.kind)
    kept, reason = decide(judge, score, smaller, speedup=speedup)
    return Compression(
        method=method,
        kept=kept,
        reason=reason,
        rows=len(rows.items),
        score_before=score,
        score_after=smaller,
        speedup=round(speedup, 2),
        bytes_before=before.bundle.model.stat().st_size,
        bytes_after=after.bundle.model.stat().st_size,
    )


def _score(predictor: Predictor, rows: Rows) -> float:
    return metric(predictor.task.metric, predictor.task.kind)(
        rows.targets, predictor.predict_proba(rows.items)
    )


def _certificate(predictor: Predictor, rows: Rows) -> Parity:
    """How far a smaller graph's answers lie from those of the trained network, on the rows it answered."""
    kind = predictor.bundle.spec.modality
    numbers, answers = Answers.read(predictor.bundle).among(rows.items, kind)
    if not len(numbers):
        raise ExportError(
            "nothing to compare a smaller graph on",
            found="none of the rows whose answers the bundle holds",
            expected="some of them among those it is judged on",
        )
    items = [rows.items[number] for number in numbers]
    names = [str(number) for number in numbers]
    return prove(predictor, answers, items, names, rows.targets[numbers], exact=False)


def decide(judge: Metric, before: float, after: float, *, speedup: float) -> tuple[bool, str]:
    """Whether a smaller graph ships, and why.

    Args:
        judge: The metric of the scores.
        before: Score in single precision.
        after: Score of the smaller graph.
        speedup: How many times as fast it is.
    """
    fall = judge.own(before) - judge.own(after)
    allowed = LARGEST_FALL * (1.0 if judge.greater_is_better else abs(before))
    figures = f"{judge.name} {after:.4f} against {before:.4f}, {speedup:.2f} times as fast"
    if not fall <= allowed + _ROUNDING:
        return False, f"{figures}: it may fall by {allowed:.4f} at most"
    if speedup < LEAST_SPEEDUP:
        return False, f"{figures}: it must be {LEAST_SPEEDUP:g} times as fast"
    return True, figures


def _speedup(before: Predictor, after: Predictor, items: Sequence[Item]) -> float:
    """How many times as fast one predicts single rows as the other, taking turns."""
    examples = before.decode(items[:_TIMED_RUNS])
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(_TIMED_RUNS + 1):
        for predictor, times in zip((before, after), seconds, strict=True):
            begun = time.perf_counter()
            predictor.run([examples[turn % len(examples)]], 1)
            times.append(time.perf_counter() - begun)
    first, second = (median(times[1:]) for times in seconds)  # the first warms up
    return first / second
