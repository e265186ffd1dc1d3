"""An int8 graph ships where it is nearly as good and clearly faster; else the bundle says why it does not."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch

from autotl.automl import verify
from autotl.errors import ExportError, MissingExtraError, ParityError
from autotl.export import compress as module
from autotl.export.bundle import export_bundle
from autotl.export.compress import Rows, check_form, compress, decide
from autotl.export.quantize import CAREFUL, DYNAMIC, HALF, STATIC, corrected, methods_for, smaller
from autotl.graph.session import open_session
from autotl.serve.bundle import read_bundle
from autotl.serve.evidence import Answers, Certificate
from autotl.serve.parity import Parity, check_certified
from autotl.serve.predictor import Predictor
from autotl.task import Task, TaskKind, metric
from autotl.testing.bundles import reseal

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
    assert told.words == f"{method} is shipped: as the test wants it"
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

    assert methods_for(model("Conv", "Conv", "MatMul"), "int8") == (STATIC,)
    assert methods_for(model("Conv", "MatMul", "MatMul"), "int8") == (DYNAMIC, CAREFUL)
    assert methods_for(model("Conv", "MatMul"), "fp16") == (HALF,)


@pytest.mark.parametrize("kind", ["image_case", "text_case"])
def test_the_mean_of_the_features_is_that_of_the_graph_in_single_precision(request, always, tmp_path, kind):
    folder, rows = _bundle(request.getfixturevalue(kind), tmp_path / "model")
    before = Predictor(folder)
    features = before.embed(rows.calibration)
    always(True)
    compress(folder, rows)
    after = Predictor(folder)
    moved = after.embed(rows.calibration) - features
    assert np.abs(moved).max() > 1e-4  # it is another graph
    assert np.abs(moved.mean(axis=0)).max() < 1e-5


def test_features_are_corrected_where_the_head_reads_them(text_case, tmp_path):
    folder, rows = _bundle(text_case, tmp_path / "model")
    before = Predictor(folder)
    outputs, features = before.outputs(rows.items)
    shift = np.linspace(-1, 1, features.shape[1], dtype=np.float32)
    graph = corrected(onnx.load(folder / "model.onnx"), shift)
    session = open_session(graph)
    found = [session.run(None, before.feeds([example])) for example in before.decode(rows.items)]
    assert np.allclose(np.concatenate([features for _, features in found]), features - shift, atol=1e-5)
    assert np.abs(np.concatenate([outputs for outputs, _ in found]) - outputs).max() > 0.01


def behind_features(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Nodes that read what is given as features, or what follows from it."""
    maker = {output: node for node in graph.node for output in node.output}
    name = "features"
    while maker[name].op_type in ("Cast", "Identity", "DequantizeLinear", "QuantizeLinear", "Sub"):
        name = maker[name].input[0]
    reached, found = {name}, []
    for node in graph.node:
        if reached & set(node.input):
            reached |= set(node.output)
            found.append(node)
    return found


@pytest.mark.parametrize(
    ("kind", "method"), [("image_case", STATIC), ("text_case", DYNAMIC), ("text_case", CAREFUL)]
)
def test_the_head_keeps_its_precision_whatever_it_is_made_of(request, tmp_path, kind, method):
    model, dataset = request.getfixturevalue(kind)(rows=40)
    width = model.head.in_features
    model.head = torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    export_bundle(model, dataset, np.arange(16), tmp_path / "model")
    predictor = Predictor(tmp_path / "model")
    feeds = (predictor.feeds([example]) for example in predictor.decode(dataset.items[:16]))
    made = smaller(onnx.load(tmp_path / "model" / "model.onnx"), method, feeds)
    head = [node.op_type for node in behind_features(made.graph)]
    assert sum(name in ("Gemm", "MatMul") for name in head) == 2
    assert not [name for name in head if "Quantize" in name or "Integer" in name]
    everything = {node.op_type for node in made.graph.node}
    assert everything & {"DequantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul"}


def test_a_head_that_divides_by_what_hardly_varies_decides_as_before(text_case, tmp_path):
    """A weight of 10,000 on a feature that is all but 0 leaves others no room in one scale of integers."""
    model, dataset = text_case(rows=200)
    with torch.no_grad():
        model.head.weight[:, 3] = torch.tensor([1.0, -1.0, 0.5]) * 1e4
        model.head.bias -= model.head.weight[:, 3] * 1e-3
    model.head = torch.nn.Sequential(_Without(3, 1e-3), model.head)
    export_bundle(model, dataset, np.arange(16), tmp_path / "model")
    predictor = Predictor(tmp_path / "model")
    before = predictor.predict_proba(dataset.items).argmax(axis=1)
    session = open_session(smaller(onnx.load(tmp_path / "model" / "model.onnx"), DYNAMIC, []))
    names = [value.name for value in session.get_outputs()]
    found = [
        dict(zip(names, session.run(None, predictor.feeds([example])), strict=True))["probabilities"]
        for example in predictor.decode(dataset.items)
    ]
    assert len(set(before)) > 1
    assert np.mean(np.concatenate(found).argmax(axis=1) == before) > 0.9


class _Without(torch.nn.Module):
    """Features of which one is the same for all rows."""

    def __init__(self, column, value):
        super().__init__()
        self.column, self.value = column, value

    def forward(self, features):
        kept = torch.ones(features.shape[1])
        kept[self.column] = 0.0
        return features * kept + (1.0 - kept) * self.value


@pytest.mark.parametrize("kind", ["image_case", "text_case"])
def test_half_precision_leaves_preprocessing_head_and_outputs_as_they_were(request, tmp_path, kind):
    folder, rows = _bundle(request.getfixturevalue(kind), tmp_path / "model")
    model = onnx.load(folder / "model.onnx")
    half = smaller(model, HALF, [])
    before, session = Predictor(folder), open_session(half)
    names = [value.name for value in half.graph.output]
    found = [
        dict(zip(names, session.run(None, before.feeds([example])), strict=True))["probabilities"]
        for example in before.decode(rows.items[:8])
    ]
    difference = np.abs(np.concatenate(found) - before.predict_proba(rows.items[:8]))
    assert 0 < difference.max() < 0.02
    assert len(half.SerializeToString()) < 0.8 * len(model.SerializeToString())


def test_half_precision_without_a_gpu_is_answered_with_what_to_install(text_case, tmp_path):
    folder, rows = _bundle(text_case, tmp_path / "model")
    with pytest.raises(MissingExtraError, match=r"cannot run on cuda here.*pip install onnxruntime-gpu"):
        compress(folder, rows, "fp16")


def test_only_half_precision_needs_a_gpu():
    check_form("none")
    check_form("int8")
    with pytest.raises(MissingExtraError, match=r"cannot run on cuda here.*pip install onnxruntime-gpu"):
        check_form("fp16")


def test_what_is_small_already_is_not_made_smaller(text_case, always, tmp_path):
    folder, rows = _bundle(text_case, tmp_path / "model")
    always(True)
    compress(folder, rows)
    with pytest.raises(ExportError, match=r"ships a smaller graph already; found dynamic int8"):
        compress(folder, rows)


def test_another_processor_may_decide_a_little_otherwise_and_not_more():
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")

    def found(flips, rows=100):
        return Parity(rows, 32, 32, flips, 0, 0.1, None, "accuracy")

    check_certified(task, found(5), Certificate(3))
    with pytest.raises(
        ParityError, match=r"found 6 of 100 decisions .* expected at most 5; at the export 3 did"
    ):
        check_certified(task, found(6), Certificate(3))
    of_all = Certificate(5, rows=256)
    check_certified(task, found(11, 256), of_all)
    check_certified(task, found(3, 7), of_all)
    check_certified(task, found(200, 256), Certificate(200, rows=256))  # as it was
    with pytest.raises(ParityError, match=r"found 4 of 7 .* at most 3; at the export 5 of 256 did"):
        check_certified(task, found(4, 7), of_all)
    with pytest.raises(ParityError, match=r"found 2 of 3 .* at most 1;"):
        check_certified(task, found(2, 3), of_all)


def test_a_graph_of_lower_precision_whose_values_are_far_off_is_not_verified(text_case, tmp_path):
    model, dataset = text_case(TaskKind.REGRESSION, rows=40)
    folder = export_bundle(model, dataset, np.arange(40), tmp_path / "model").folder
    reseal(folder, lambda m: m["parity"]["model.onnx"].update(tolerance=None))
    assert verify(folder, dataset.items, labels=dataset.targets)["rows"] == 40
    known = Answers.read(read_bundle(folder))
    Answers(known.digests, known.outputs + known.scale, known.scale).write(folder)
    reseal(folder)
    with pytest.raises(ParityError, match=r"gives other values than when it was exported; found one is"):
        verify(folder, dataset.items, labels=dataset.targets)


def test_another_processor_may_give_values_a_little_farther_off_and_not_more():
    task = Task(TaskKind.REGRESSION, (), "rmse")

    def found(largest):
        return Parity(100, 32, 32, 0, 0, largest, None, "rmse")

    check_certified(task, found(0.09), Certificate(0, largest_difference=0.01))
    check_certified(task, found(0.3), Certificate(0, largest_difference=0.2))
    check_certified(task, found(9.0), Certificate(0))  # a bundle that does not tell
    with pytest.raises(ParityError, match=r"found one is 0\.11 off .* at most 0\.1; at the export 0\.01"):
        check_certified(task, found(0.11), Certificate(0, largest_difference=0.01))
