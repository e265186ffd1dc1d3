"""What cannot meet the limits of a deployed model is left out before training, and the winner meets them."""

from __future__ import annotations

import json

import pytest
import torch
from small_spaces import small_space

from autotl import AutoTL
from autotl.automl import footprints, space_for
from autotl.errors import SettingsError, SpaceError
from autotl.graph.footprint import Footprint
from autotl.space.limits import Limits
from autotl.testing.data import make_images, write_image_folder
from autotl.testing.workbench import tiny_workbench

MB = 10**6

#: A limit of time that only smaller inputs meet, on as many cores everywhere: the first guess rests on them.
FAST = {"offline": True, "max_latency_ms": 2.0, "threads": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_image_folder(tmp_path_factory.mktemp("data"), classes=2, rows_per_class=12)


@pytest.fixture
def measured(monkeypatch):
    """Stands for the measurement: what a model takes goes with its backbone's weights and its input size."""
    seen = []

    def fake(model, dataset, rows, limits):
        size = model.spec.options["size"]
        weights = sum(weight.numel() for weight in model.backbone.module.parameters())
        seen.append((model.backbone.info.name, size))
        return Footprint(4 * weights, weights / 1e6 * (size / 224) ** 2, 4 * weights + 100 * MB)

    monkeypatch.setattr(footprints, "footprint", fake)
    monkeypatch.setattr("autotl.automl.graphs.footprint", fake)
    return seen


def reasons(choices):
    return {c.name: c.reason for c in choices if not c.included and "measured" in c.reason}


def options(space, backbone):
    strategy = space.strategy("linear_probe")
    return next(p.domain.options for p in strategy.active(backbone, {}) if p.name == "input_size")


def test_what_is_measured_over_a_limit_is_out_with_the_figure(data, measured, tmp_path):
    space, choices = space_for(data, offline=True, max_size_mb=18, cache_dir=tmp_path)
    assert set(space.backbones) == {"efficientnet-lite0", "efficientnet-lite1"} & set(space.backbones)
    assert space.backbones
    out = reasons(choices)
    assert all("MB on disk is over the limit of 18, measured" in reason for reason in out.values())
    kept = {choice.name: choice.reason for choice in choices if choice.included}
    assert all("; measured: " in reason and "MB on disk" in reason for reason in kept.values())
    again, _ = space_for(data, offline=True, max_size_mb=18, cache_dir=tmp_path)
    assert again == space
    assert len(measured) == len(set(measured)), "what was measured once is not measured again"


def test_a_backbone_that_is_too_slow_at_its_own_size_takes_smaller_inputs(data, measured, tmp_path):
    space, _ = space_for(data, backbones="efficientnet-lite0", cache_dir=tmp_path, **FAST)
    assert options(space, "efficientnet-lite0") == (128, 160)
    assert {entry.get("input_size") for entry in space.portfolio()} <= {128, 160}


def test_where_nothing_meets_the_limits_each_figure_is_told(data, measured, tmp_path):
    with pytest.raises(SpaceError, match=r"no backbone is left.*MB of memory is over the limit of 105, meas"):
        space_for(data, offline=True, max_memory_mb=105, cache_dir=tmp_path)


def test_a_space_of_one_input_size_is_measured_at_that_size(data, measured, tmp_path):
    how = {"backbones": "efficientnet-lite0", "cache_dir": tmp_path, "space": small_space(tmp_path)}
    space, _ = space_for(data, **how, **FAST)
    assert options(space, "efficientnet-lite0") == (128,)
    assert measured == [("efficientnet-lite0", 128)]


@pytest.mark.parametrize("changed", ["processor", "versions"])
def test_what_another_machine_or_version_took_is_measured_anew(
    data, measured, tmp_path, monkeypatch, changed
):
    how = {"offline": True, "max_size_mb": 18, "backbones": "efficientnet-lite0", "cache_dir": tmp_path}
    space_for(data, **how)
    before = len(measured)
    space_for(data, **how)
    assert len(measured) == before > 0
    if changed == "processor":
        monkeypatch.setattr(footprints, "processor", lambda: "another")
    else:
        names = []
        monkeypatch.setattr(footprints, "versions", lambda of: names.extend(of) or {"torch": "another"})
    space_for(data, **how)
    assert len(measured) == 2 * before
    if changed == "versions":
        assert {"autotl", "torch", "onnxruntime"} <= set(names)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_several_inputs_are_measured_together(tmp_path, kind):
    bench = tiny_workbench(tmp_path, kind)
    head = torch.nn.Linear(bench.backbone.feature_dim(), bench.task.outputs)
    model = bench.model(bench.backbone, head, (bench.backbone.depth,)).eval()
    one, many = (
        footprints.footprint(model, bench.dataset, bench.splits.val, Limits(batch=batch, threads=1))
        for batch in (1, 256)
    )
    assert many.batch_latency_ms > 5 * one.latency_ms
    assert many.latency_ms < many.batch_latency_ms / 5, "one input is measured beside the batch"
    assert one.batch_latency_ms is None
    assert many.size_bytes == one.size_bytes


@pytest.mark.parametrize("name", ["max_latency_ms", "max_size_mb", "max_memory_mb"])
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(SettingsError, match=rf"{name} admits no model; found 0; expected more than 0"):
        AutoTL(**{name: 0}).fit([], [])


@pytest.mark.slow
def test_the_winner_meets_limits_that_are_really_measured(tmp_path):
    images, labels = make_images(36, classes=2)
    limits = {"max_latency_ms": 2000, "max_size_mb": 40, "max_memory_mb": 2000, "latency_threads": 1}
    limits |= {"space": small_space(tmp_path), "backbones": "efficientnet-lite0"}
    model = AutoTL(time_budget=None, trials=2, offline=True, threads=2, out=tmp_path / "run", **limits).fit(
        images, labels
    )
    row = next(row for row in model.leaderboard_.to_rows() if row["winner"])
    assert 0 < row["size_bytes"] <= 40 * MB
    assert (tmp_path / "run/model/model.onnx").stat().st_size == pytest.approx(row["size_bytes"], rel=0.01)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["settings"]["max_memory_mb"] == 2000
    told = json.loads((tmp_path / "run/model/bundle.json").read_text())["limits"]
    assert (told["asked"]["max_latency_ms"], told["over"]) == (2000, None)
    assert "MB of memory" in told["words"]
    assert not any("limit" in sentence for sentence in record["verdict"])


@pytest.mark.slow
def test_a_trial_that_turns_out_too_large_is_passed_over_for_the_next(tmp_path, monkeypatch):
    images, labels = make_images(36, classes=2)
    sizes = iter([50 * MB])  # of the graph that is chosen first

    def fake(model, dataset, rows, limits):
        return Footprint(next(sizes, 10 * MB), 1.0)

    monkeypatch.setattr("autotl.automl.graphs.footprint", fake)
    monkeypatch.setattr(footprints, "footprint", lambda *_: Footprint(10 * MB, 1.0))
    monkeypatch.setattr("autotl.automl.graphs.shipped_footprint", lambda *_: Footprint(45 * MB, 1.0))
    out = {"out": tmp_path / "run", "cache_dir": tmp_path / "cache", "space": small_space(tmp_path)}
    model = AutoTL(time_budget=None, trials=4, offline=True, threads=2, max_size_mb=40, **out).fit(
        images, labels
    )
    rows = model.leaderboard_.to_rows()
    out = [row for row in rows if row["error"] == "50 MB on disk is over the limit of 40, measured"]
    assert out
    assert all(row["rank"] is None and not row["winner"] for row in out)
    winner = next(row for row in rows if row["winner"])
    assert (winner["rank"], winner["trial"]) == (1, model.best_trial_.number)
    assert winner["trial"] not in {row["trial"] for row in out}
    said = "The delivered model is over a limit: 45 MB on disk is over the limit of 40, measured"
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert any(said in sentence for sentence in record["verdict"]), "what ships is measured once more"
    assert any(said in note for note in record["notes"])
