"""An int8 graph ships where it is nearly as good and clearly faster; else the bundle says why it does not."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from autotl.errors import ParityError
from autotl.export import compress as module
from autotl.export.bundle import export_bundle
from autotl.export.compress import Rows, compress, decide
from autotl.export.quantize import CAREFUL, DYNAMIC, STATIC, methods_for
from autotl.serve.bundle import read_bundle
from autotl.serve.parity import Parity, check_flips
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind, metric

ACCURACY = metric("accuracy", TaskKind.MULTICLASS)
ERROR = metric("rmse", TaskKind.REGRESSION)


@pytest.mark.parametrize(
    ("judge", "before", "after", "speedup", "kept"),
    [
        (ACCURACY, 0.900, 0.8955, 1.3, True),
        (ACCURACY, 0.8325, 0.8275, 1.3, True),
        (ACCURACY, 0.900, 0.890, 3.0, False),
        (ACCURACY, 0.900, 0.910, 1.1, False),
        (ACCURACY, 0.900, float("nan"), 3.0, False),
        (ERROR, 10.0, 10.04, 1.3, True),
        (ERROR, 10.0, 10.2, 1.3, False),
    ],
)
def test_a_smaller_graph_must_be_nearly_as_good_and_clearly_faster(judge, before, after, speedup, kept):
    decided, reason = decide(judge, before, after, speedup=speedup)
    assert decided is kept
    assert f"{after:.4f} against {before:.4f}, {speedup:.2f} times as fast" in reason


@pytest.fixture
def always(monkeypatch):
    """Let a graph be kept or left out, whatever this machine makes of it."""

    def set_to(kept):
        monkeypatch.setattr(module, "decide", lambda *_, **__: (kept, "as the test wants it"))

    return set_to


def _bundle(case, folder):
    model, dataset = case(rows=40)
    export_bundle(model, dataset, np.arange(32), folder, record={"metrics": {"test": {"accuracy": 0.5}}})
    items, targets = (
        dataset.items,
        Predictor(folder).task.decide(Predictor(folder).predict_proba(dataset.items)),
    )
    return folder, Rows(items[:16], items, np.asarray(targets))


@pytest.mark.parametrize(("kind", "method"), [("image_case", STATIC), ("text_case", DYNAMIC)])
def test_a_graph_that_is_kept_takes_the_place_of_the_other(request, always, tmp_path, kind, method):
    folder, rows = _bundle(request.getfixturevalue(kind), tmp_path / "model")
    before = Predictor(folder).predict_proba(rows.items)
    always(True)
    told = compress(folder, rows)
    assert told.method == method
    assert told.bytes_after < told.bytes_before
    bundle = read_bundle(folder)
    assert bundle.manifest["compression"] == json.loads(json.dumps(told.to_json()))
    certificate = bundle.manifest["parity"]["model.onnx"]
    assert (certificate["rows"], certificate["tolerance"]) == (32, None)
    assert "test" not in bundle.manifest["metrics"]  # that was the score of the former graph
    assert f"The graph is {method}: on 40 rows as the test wants it." in (folder / "README.md").read_text()
    after = Predictor(folder).predict_proba(rows.items)
    assert 0 < np.abs(after - before).max() < 0.2
    operators = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    assert operators & {"DequantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul"}


def test_a_graph_that_is_left_out_leaves_the_bundle_as_it_was_but_for_what_it_says(
    text_case, always, tmp_path
):
    folder, rows = _bundle(text_case, tmp_path / "model")
    content, parity = (folder / "model.onnx").read_bytes(), read_bundle(folder).manifest["parity"]
    always(False)
    assert not compress(folder, rows).kept
    bundle = read_bundle(folder)
    assert (folder / "model.onnx").read_bytes() == content
    assert bundle.manifest["parity"] == parity
    assert bundle.manifest["metrics"] == {"test": {"accuracy": 0.5}}
    assert "Tried and left out was dynamic int8" in (folder / "README.md").read_text()


def test_where_the_fastest_graph_loses_too_much_a_more_careful_one_is_tried(text_case, monkeypatch, tmp_path):
    folder, rows = _bundle(text_case, tmp_path / "model")
    answers = iter([(False, "too much is lost"), (True, "little is lost")])
    monkeypatch.setattr(module, "decide", lambda *_, **__: next(answers))
    told = compress(folder, rows)
    assert (told.method, told.kept, told.reason) == (CAREFUL, True, "little is lost")
    operators = [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]
    assert {"MatMul", "MatMulInteger"} <= set(operators)


def test_the_methods_follow_what_most_of_the_work_is():
    def model(*operators):
        nodes = [onnx.helper.make_node(name, ["x"], ["y"]) for name in operators]
        return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], []))

    assert methods_for(model("Conv", "Conv", "MatMul")) == (STATIC,)
    assert methods_for(model("Conv", "MatMul", "MatMul")) == (DYNAMIC, CAREFUL)


def test_another_processor_may_decide_a_little_otherwise_and_not_more():
    def found(flips):
        return Parity(100, 32, 32, flips, 0, 0.1, None, "accuracy")

    check_flips(found(5), {"label_flips": 3})
    with pytest.raises(
        ParityError, match=r"found 6 of 100 decisions .* expected at most 5; at the export 3 did"
    ):
        check_flips(found(6), {"label_flips": 3})
