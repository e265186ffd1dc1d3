"""Several heads over one pass predict what the mean of their models predicts, also when exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.config import TrialConfig
from autotl.errors import TrialError
from autotl.export.verify import verify
from autotl.graph.session import open_session
from autotl.strategies.registry import strategy
from autotl.task import TaskKind
from autotl.testing.workbench import KINDS, tiny_workbench
from autotl.training.ensemble import ensemble


def heads(bench, *depths):
    kind = "ridge" if bench.task.kind is TaskKind.REGRESSION else "logistic"
    models = []
    for own in depths:
        config = TrialConfig("tiny", "linear_probe", {"head": kind, "depths": own})
        run = strategy("linear_probe").start(bench, config)
        run.step()
        models.append(run.model())
    return models


@pytest.mark.parametrize("kind", KINDS)
def test_it_predicts_the_weighted_mean_of_its_members(tmp_path, kind):
    bench = tiny_workbench(tmp_path, kind=kind)
    members = heads(bench, "last", "1,3", "2,3")
    joined = ensemble(members, [1, 2, 1])
    batch = bench.frozen.inputs.batch(bench.splits.val)
    with torch.inference_mode():
        expected = sum(w * m.predict(batch) for w, m in zip([0.25, 0.5, 0.25], members, strict=True))
        assert torch.allclose(joined.predict(batch), expected, atol=1e-5)
    assert joined.depths == (1, 2, 3, 4)


def test_it_runs_the_backbone_once(tmp_path):
    bench = tiny_workbench(tmp_path)
    joined = ensemble(heads(bench, "last", "1,3", "2,3"), [1, 1, 1])
    calls = []
    for block in bench.backbone.blocks():
        block.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        joined.predict(bench.frozen.inputs.batch(bench.splits.val))
    assert len(calls) == bench.backbone.depth


@pytest.mark.parametrize("name", ["image", "text"])
def test_the_exported_graph_is_one_and_agrees(tmp_path, name):
    from autotl.export.bundle import export_bundle

    bench = tiny_workbench(tmp_path / "features", name)
    joined = ensemble(heads(bench, "last", "2"), [2, 1])
    joined.temperature = 1.7
    rows = np.concatenate([bench.splits.val, bench.splits.test])
    bundle = export_bundle(joined, bench.dataset, rows, tmp_path / "bundle")
    parity = verify(joined, bundle.folder, bench.dataset, rows)
    assert parity.to_json()["largest_difference"] < 1e-5
    assert [o.name for o in open_session(bundle.folder / "model.onnx").get_outputs()] == [
        "probabilities",
        "features",
    ]


def test_a_trained_backbone_cannot_share_its_features(tmp_path):
    bench = tiny_workbench(tmp_path)
    own, other = heads(bench, "last", "2")
    other.backbone = bench.fresh_backbone()
    with pytest.raises(TrialError, match=r"only be joined over the same features; found 1 of 2 models"):
        ensemble([own, other], [1, 1])
