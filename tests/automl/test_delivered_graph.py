"""The graph that ships is the one that was measured, held to the limits, and judged on rows new to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autotl import AutoTL
from autotl.automl import export_trial
from autotl.automl import graphs as module
from autotl.automl.delivery import Delivery
from autotl.config import TrialConfig, TrialState
from autotl.data.splits import split
from autotl.errors import ExportError, MissingExtraError
from autotl.export import compress as compressing
from autotl.leaderboard.selection import is_candidate
from autotl.modalities.registry import modality
from autotl.serve.bundle import read_bundle
from autotl.serve.predictor import Predictor
from autotl.space.limits import Limits
from autotl.testing.backbones import tiny_text_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


@pytest.fixture
def runner(tmp_path, monkeypatch):
    def load(info, **_):
        return tiny_text_backbone(folder=tmp_path / "tokenizer")

    monkeypatch.setattr(benches, "load", load)
    dataset = tiny_dataset("text", rows=120)
    drawn = np.random.default_rng(0).integers(0, 3, 120)  # can only be learnt by heart
    dataset = replace(dataset, targets=np.where(np.arange(120) % 2, dataset.targets, drawn))
    described = modality("text").describe(list(dataset.items))
    info = load(None).info
    resources = Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache")
    plan = RunnerPlan(
        dataset, split(dataset, seed=0), {info.name: info}, described, RunFolder(tmp_path / "run"), resources
    )
    return TrialRunner(plan)


def run_trial(runner, number, **params):
    trial = runner.start(number, TrialConfig("tiny-text", "linear_probe", params))
    while not trial.done:
        trial.step()
    result = trial.finish(TrialState.COMPLETE)
    runner.folder.write_result(result)
    return result


def delivery_of(runner, results, **limits):
    delivery = Delivery(runner, 0, Limits(threads=1, **limits))
    delivery.combinations.know(results)
    return delivery


def test_a_head_with_a_hidden_layer_is_measured_by_itself_and_linear_ones_together(runner, monkeypatch):
    heads = ("logistic", "ridge", "mlp", "mlp")
    results = [run_trial(runner, n, head=head, depths="last") for n, head in enumerate(heads)]
    measured = []
    real = module.footprint
    monkeypatch.setattr(module, "footprint", lambda *given: measured.append(given) or real(*given))
    delivery = delivery_of(runner, results)
    sizes = [r.facts["size_bytes"] for r in delivery.graphs.measure(results, float("inf"))]
    assert len(measured) == 2
    assert sizes[0] == sizes[1]
    hidden = 128 * (32 + 3) - 3 * 32  # weights more than a linear head of three classes on 32 features
    assert sizes[2] - sizes[0] > 4 * hidden
    over = delivery_of(runner, results, max_size_bytes=(sizes[0] + sizes[2]) // 2)
    assert over.graphs.over_limit(results[0]) is None
    assert "MB on disk is over the limit" in over.graphs.over_limit(results[2])
    marked = over.graphs.marked(results, results[2], "too large")
    assert [r.facts.get("over_limit") for r in marked] == [None, None, "too large", "too large"]


def test_what_cannot_be_exported_cannot_win_and_says_why(runner, monkeypatch):
    results = [run_trial(runner, n, head=head, depths="last") for n, head in enumerate(("logistic", "mlp"))]
    real = module.footprint

    def fussy(model, *given):
        if not isinstance(model.head, torch.nn.Linear):
            raise ExportError("no exporter takes the network")
        return real(model, *given)

    monkeypatch.setattr(module, "footprint", fussy)
    for limits in ({}, {"max_size_bytes": 10**9}):
        graphs = delivery_of(runner, results, **limits).graphs
        kept, lost = graphs.measure(results, float("inf"))
        assert kept.facts["size_bytes"] > 0
        assert is_candidate(kept)
        assert (
            lost.facts["over_limit"] == "it cannot be exported: ExportError: no exporter takes the network."
        )
        assert not is_candidate(lost)
    assert graphs.over_limit(results[1]) == lost.facts["over_limit"]


def test_a_bundle_tells_whether_it_meets_the_limits_that_were_asked_for(runner, tmp_path):
    result = run_trial(runner, 0)
    folder = tmp_path / "model"
    meets = delivery_of(runner, [result], max_latency_ms=5000.0, batch=4)
    meets.export(meets.combinations.model(result), {}, folder)
    assert meets.graphs.hold_to_limits(folder) is None
    told = read_bundle(folder).manifest["limits"]
    assert (told["asked"]["max_latency_ms"], told["asked"]["batch"], told["over"]) == (5000.0, 4, None)
    assert "ms a prediction, " in told["words"]
    assert "ms a batch of 4, " in told["words"]
    assert "The graph meets the limits that were asked for: " in (folder / "README.md").read_text()

    over = delivery_of(runner, [result], max_size_bytes=1000).graphs.hold_to_limits(folder)
    size = (folder / "model.onnx").stat().st_size
    assert over == f"{size / 1e6:.3g} MB on disk is over the limit of 0.001, measured"
    assert f"**The graph is over a limit that was asked for**: {over}" in (folder / "README.md").read_text()


def test_what_only_a_busy_machine_exceeds_is_measured_again(runner, tmp_path, monkeypatch):
    result = run_trial(runner, 0)
    delivery = delivery_of(runner, [result], max_latency_ms=5.0)
    delivery.export(delivery.combinations.model(result), {}, tmp_path / "model")
    found = iter([9.0, 4.0])
    monkeypatch.setattr(
        module, "shipped_footprint", lambda *_: module.Footprint(size_bytes=1, latency_ms=next(found))
    )
    assert delivery.graphs.hold_to_limits(tmp_path / "model") is None


def test_a_model_fitted_on_the_validation_rows_is_judged_by_the_one_that_was_not(
    runner, tmp_path, monkeypatch
):
    result = run_trial(runner, 0, head="mlp", regularisation=1e-4)
    delivery = delivery_of(runner, [result])
    folder, val = tmp_path / "model", runner.splits.val
    items, targets = runner.dataset.take(val).items, runner.dataset.targets[val]
    delivery.export(delivery.combinations.model(result, refit=True), {}, folder)
    before = Predictor(folder, threads=1).predict_proba(items)
    by_heart = np.mean(before.argmax(axis=1) == targets)
    assert by_heart > result.score + 0.1
    monkeypatch.setattr(compressing, "decide", lambda *_, **__: (True, "as the test wants it"))
    told = delivery.compress(folder, "int8", refitted=result)
    assert told.before_final_fit
    assert told.score_before == pytest.approx(result.score)
    assert read_bundle(folder).manifest["compression"]["before_final_fit"] is True
    card = (folder / "README.md").read_text()
    assert f"on {len(val)} rows, which were new to the model before its final fit, as the test" in card
    after = Predictor(folder, threads=1).predict_proba(items)
    assert 0 < np.abs(after - before).max() < 0.2, "what ships is the model after its final fit"
    assert np.mean(after.argmax(axis=1) == targets) > result.score + 0.1


def test_what_does_not_pay_for_the_one_does_not_ship_for_the_other(runner, tmp_path, monkeypatch):
    result = run_trial(runner, 0)
    delivery, folder = delivery_of(runner, [result]), tmp_path / "model"
    delivery.export(delivery.combinations.model(result, refit=True), {}, folder)
    graph = (folder / "model.onnx").read_bytes()
    monkeypatch.setattr(compressing, "decide", lambda *_, **__: (False, "too much is lost"))
    told = delivery.compress(folder, "int8", refitted=result)
    assert (told.kept, told.before_final_fit) == (False, True)
    assert (folder / "model.onnx").read_bytes() == graph
    assert read_bundle(folder).manifest["compression"]["kept"] is False


def test_half_precision_without_a_gpu_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(MissingExtraError, match=r"cannot run on cuda here.*pip install onnxruntime-gpu"):
        AutoTL(compress="fp16", offline=True, out=tmp_path / "run").fit(tmp_path / "no data")
    with pytest.raises(MissingExtraError, match=r"cannot run on cuda here"):
        export_trial(tmp_path / "no run", compress="fp16")
    assert not (tmp_path / "run").exists()
