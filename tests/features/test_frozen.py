"""The frozen part: computed once, equal to the network itself, whichever engine runs it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.errors import StorageError
from autotl.features import arrays, engines, frozen
from autotl.features.engines import Candidate, FrozenNetwork, candidates, fastest_engine, torch_engine
from autotl.features.frozen import View
from autotl.features.record import MachineRecord
from autotl.testing.workbench import tiny_workbench


@pytest.fixture(params=["image", "text"])
def bench(request, tmp_path):
    return tiny_workbench(tmp_path, request.param)


def directly(bench, row, depth):
    with torch.inference_mode():
        hidden = bench.backbone.run(bench.frozen.inputs.batch(np.array([row])), 0, depth)
        return bench.backbone.pool(hidden, depth)[0].numpy()


def test_pooled_features_are_those_of_the_network_at_each_depth(bench):
    rows = np.array([7, 0, 31])
    for depth in range(1, bench.backbone.depth + 1):
        pooled = bench.frozen.pooled(rows, (depth,))
        assert pooled.shape == (3, bench.backbone.feature_dim(depth))
        for row, values in zip(rows, pooled, strict=True):
            assert np.allclose(values, directly(bench, row, depth), atol=1e-4)


def test_depths_are_concatenated_in_the_order_given(bench):
    rows = np.arange(4)
    both = bench.frozen.pooled(rows, (1, 2))
    parts = [bench.frozen.pooled(rows, (depth,)) for depth in (1, 2)]
    assert np.array_equal(both, np.concatenate(parts, axis=1))


def test_nothing_is_computed_twice(bench, monkeypatch):
    bench.frozen.pooled(np.arange(10), (1,))
    monkeypatch.setattr(bench.frozen, "_engine", lambda *_: pytest.fail("computed again"))
    assert len(bench.frozen.pooled(np.array([9, 3]), (2,))) == 2


def test_hidden_batches_continue_to_the_networks_own_output(bench):
    rows = np.array([5, 2, 40])
    cut, depth = 2, bench.backbone.depth
    bench.frozen.prepare(rows, cut)
    hidden = {k: v.float() if v.is_floating_point() else v for k, v in bench.frozen.hidden(rows, cut).items()}
    with torch.inference_mode():
        pooled = bench.backbone.pool(bench.backbone.run(hidden, cut), depth).numpy()
    for row, values in zip(rows, pooled, strict=True):
        assert np.allclose(values, directly(bench, row, depth), atol=0.02)


def test_activations_asked_for_are_kept_in_the_same_pass(bench, monkeypatch):
    rows = np.arange(8)
    bench.frozen.pooled(rows, (1,), capture=(2,))
    monkeypatch.setattr(bench.frozen, "_fill", lambda rows, *_: len(rows) and pytest.fail("computed again"))
    bench.frozen.prepare(rows, 2)
    assert len(bench.frozen.hidden(rows, 2)["hidden"]) == 8


def test_views_are_augmented_kept_and_repeatable(tmp_path):
    bench = tiny_workbench(tmp_path)
    rows, view = np.arange(6), View(1, "strong")
    plain, changed = bench.frozen.pooled(rows, (1,)), bench.frozen.pooled(rows, (1,), view)
    assert not np.allclose(plain, changed)
    (tmp_path / "other").mkdir()
    again = tiny_workbench(tmp_path / "other").frozen.pooled(rows, (1,), view)
    assert np.allclose(changed, again, atol=1e-5)


def test_a_view_of_a_row_does_not_depend_on_what_is_asked_for_with_it(bench, tmp_path):
    view, strength = View(1, "light"), bench.modality.name
    alone = bench.frozen.pooled(np.array([5]), (1,), view)
    (tmp_path / "other").mkdir()
    together = tiny_workbench(tmp_path / "other", strength).frozen.pooled(np.arange(3, 8), (1,), view)
    assert np.allclose(alone[0], together[2], atol=1e-5)


def test_how_long_a_row_takes_is_known_to_a_run_that_computes_nothing(tmp_path):
    first = tiny_workbench(tmp_path).frozen
    first.pooled(np.arange(4), (1,))
    again = tiny_workbench(tmp_path).frozen
    assert again.seconds_a_row == first.seconds_a_row > 0


def test_inputs_are_not_decoded_where_activations_are_there(tmp_path, monkeypatch):
    rows = np.arange(6)
    tiny_workbench(tmp_path).frozen.prepare(rows, 2)
    for path in tmp_path.glob("inputs-*"):
        path.unlink()
    again = tiny_workbench(tmp_path).frozen
    monkeypatch.setattr(again.inputs, "prepare", lambda _: pytest.fail("decoded again"))
    monkeypatch.setattr(again, "_hidden_shape", lambda *_: (16, 16, 16))
    again.prepare(rows, 2)


def test_the_disk_that_activations_take_is_known_beforehand(bench, monkeypatch):
    rows = np.arange(20)
    asked = []
    monkeypatch.setattr(frozen, "has_room", lambda _, needed: asked.append(needed) or True)
    assert bench.frozen.can_keep(rows, 2)
    assert bench.frozen.can_keep(rows, 2, views=3)
    bench.frozen.prepare(rows, 2)
    assert bench.frozen.can_keep(rows, 2, views=3)
    stored = bench.frozen.hidden(rows, 2)
    mask = stored.get("attention_mask")
    values = stored["hidden"].numel() if mask is None else int(mask.sum()) * stored["hidden"].shape[-1]
    assert asked == [values * 2, 3 * values * 2, 2 * values * 2]


def test_too_many_activations_are_not_kept(bench, monkeypatch):
    rows = np.arange(20)
    monkeypatch.setattr(frozen, "_MOST_HIDDEN_BYTES", 1000)
    assert not bench.frozen.can_keep(rows, 2)
    assert not list(bench.frozen._folder.glob("hidden2*")), "no file is made to answer that"
    assert bench.frozen.can_keep(rows, 0)
    monkeypatch.undo()
    monkeypatch.setattr(frozen, "has_room", lambda *_: False)
    assert not bench.frozen.can_keep(rows, 2)


def test_the_room_of_all_that_a_pass_gives_is_asked_for_first(bench, monkeypatch):
    rows = np.arange(20)
    bench.frozen.inputs.prepare(rows)
    monkeypatch.setattr(arrays, "_DISK_RESERVE_BYTES", 2**60)
    with pytest.raises(StorageError, match="not enough disk space for cached features"):
        bench.frozen.pooled(rows, (1,), capture=(1, 2))
    assert bench.frozen.missing(rows) == 20


def test_engines_agree(bench, tmp_path):
    network = FrozenNetwork(bench.backbone, 2, (1, 2), pooled=True).eval()
    example, other = (bench.frozen.inputs.batch(np.arange(*span)) for span in ((0, 4), (20, 31)))
    runs = [
        engines.torch_engine(network, torch.device("cpu"))(other),
        engines.onnx_engine(network, example, threads=1)(other),
        engines.torch_engine(network, torch.device("cpu"), channels_last=True)(other),
    ]
    assert len(runs[0]) == 3
    for ours, *others in zip(*runs, strict=True):
        assert all(np.allclose(ours, theirs, atol=1e-4) for theirs in others)


def test_a_copy_of_the_network_lies_channels_last_and_the_shared_one_stays_as_it_is(tmp_path):
    bench = tiny_workbench(tmp_path)
    network = FrozenNetwork(bench.backbone, 4, (), pooled=True)
    strides = [weight.stride() for weight in bench.backbone.module.parameters()]
    engines.torch_engine(network, torch.device("cpu"), channels_last=True)
    assert [weight.stride() for weight in bench.backbone.module.parameters()] == strides


def test_mixed_precision_is_near_and_given_back_as_single(bench):
    network = FrozenNetwork(bench.backbone, 2, (1, 2), pooled=True)
    batch = bench.frozen.inputs.batch(np.arange(4))
    exact = engines.torch_engine(network, torch.device("cpu"))(batch)
    mixed = engines.torch_engine(network, torch.device("cpu"), mixed=torch.bfloat16)(batch)
    assert {values.dtype for values in mixed} == {np.dtype(np.float32)}
    assert not all(np.array_equal(a, b) for a, b in zip(exact, mixed, strict=True))
    assert engines._agrees("mixed", mixed, exact, engines._MIXED_TOLERANCE)


def test_what_competes_depends_on_device_and_kind_of_input(tmp_path):
    bench = tiny_workbench(tmp_path)
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True)
    batch = bench.frozen.inputs.batch(np.arange(4))
    here = engines.candidates(network, batch, torch.device("cpu"), 1)
    there = engines.candidates(network, batch, torch.device("mps"), 1)
    assert list(here) == ["torch", "torch channels_last", "onnxruntime"]
    assert list(there) == ["torch", "torch channels_last", "torch mixed", "torch mixed channels_last"]
    text = {"input_ids": torch.ones(4, 3, dtype=torch.long)}
    assert list(engines.candidates(network, text, torch.device("cpu"), 1)) == ["torch", "onnxruntime"]


@pytest.mark.parametrize("wrong", [0.01, np.nan, np.inf])
def test_an_engine_that_differs_from_torch_is_refused_however_fast(tmp_path, monkeypatch, caplog, wrong):
    bench = tiny_workbench(tmp_path)
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True).eval()
    batch = bench.frozen.inputs.batch(np.arange(4))
    values = engines.torch_engine(network, torch.device("cpu"))(batch)
    off = [values[0] + wrong * np.abs(values[0]).max()]
    monkeypatch.setattr(engines, "onnx_engine", lambda *_: lambda _: off)
    record = MachineRecord(tmp_path / "record.json")
    engine = fastest_engine(network, batch, device=torch.device("cpu"), threads=1, record=record, key="k")
    assert np.allclose(engine(batch)[0], values[0], atol=1e-5)
    assert record.get("k") != "onnxruntime"
    assert "onnxruntime is left out: it differs from torch" in caplog.text


@pytest.mark.parametrize("when", ["opened", "run"])
def test_an_engine_that_onnx_runtime_cannot_run_is_left_out(tmp_path, monkeypatch, caplog, when):
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    def broken(*_):
        raise Fail("no kernel")

    bench = tiny_workbench(tmp_path)
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True).eval()
    batch = bench.frozen.inputs.batch(np.arange(4))
    monkeypatch.setattr(engines, "onnx_engine", broken if when == "opened" else lambda *_: broken)
    record = MachineRecord(tmp_path / "record.json")
    engine = fastest_engine(network, batch, device=torch.device("cpu"), threads=1, record=record, key="k")
    assert engine(batch)[0].shape[0] == 4
    assert "onnxruntime cannot run the frozen part, it is left out: no kernel" in caplog.text


def test_the_fastest_engine_is_timed_once_and_recorded(bench, tmp_path, monkeypatch):
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True).eval()
    batch = bench.frozen.inputs.batch(np.arange(4))
    record = MachineRecord(tmp_path / "record.json")
    options = {"device": torch.device("cpu"), "threads": 1, "record": record, "key": "k"}
    fastest_engine(network, batch, **options)
    assert record.get("k") in engines.candidates(network, batch, torch.device("cpu"), 1)
    monkeypatch.setattr(engines, "_times", lambda *_: pytest.fail("timed again"))
    fastest_engine(network, batch, **options)


def test_a_recorded_engine_that_no_longer_agrees_is_chosen_anew(bench, tmp_path, monkeypatch):
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True).eval()
    batch = bench.frozen.inputs.batch(np.arange(4))
    record = MachineRecord(tmp_path / "record.json")
    record.put("k", "onnxruntime")
    wrong = Candidate(lambda: lambda batch: [np.ones_like(v) for v in plain(batch)])
    plain = torch_engine(network, torch.device("cpu"))
    ways = {"torch": Candidate(lambda: plain), "onnxruntime": wrong}
    monkeypatch.setattr(engines, "candidates", lambda *_: dict(ways))
    engine = fastest_engine(network, batch, device=torch.device("cpu"), threads=1, record=record, key="k")
    assert engine is plain
    assert record.get("k") == "torch"


def test_a_network_that_onnx_cannot_express_is_run_by_torch(bench, tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(engines, "onnx_engine", refuse)
    monkeypatch.setattr(engines, "_times", lambda ways, batch: dict.fromkeys(ways, 1.0))
    record = MachineRecord(tmp_path / "record.json")
    network = FrozenNetwork(bench.backbone, 1, (), pooled=True).eval()
    batch = bench.frozen.inputs.batch(np.arange(4))
    engine = fastest_engine(network, batch, device=torch.device("cpu"), threads=1, record=record, key="k")
    assert engine(batch)[0].shape == (4, bench.backbone.feature_dim(1))
    assert record.get("k") == "torch"


def test_an_engine_brings_weights_back_that_others_have_moved(bench, monkeypatch):
    network, device = FrozenNetwork(bench.backbone, 1, (), True), torch.device("cpu")
    engine = torch_engine(network, device)
    moved = []
    monkeypatch.setattr(network, "to", lambda *where: moved.append(where))
    engine(bench.frozen.inputs.batch(np.arange(2)))
    assert moved == [(device,)]


def test_rows_that_do_not_fit_into_memory_together_are_run_in_parts(bench, monkeypatch):
    network = FrozenNetwork(bench.backbone, 2, (1, 2), True)
    engine, batch = torch_engine(network, torch.device("cpu")), bench.frozen.inputs.batch(np.arange(9))
    expected, plain, seen = engine(batch), network.forward, []

    def crowded(batch):
        rows = len(next(iter(batch.values())))
        seen.append(rows)
        if rows > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(batch)

    monkeypatch.setattr(network, "forward", crowded)
    found = torch_engine(network, torch.device("cpu"))
    for _ in range(2):
        for value, wanted in zip(found(batch), expected, strict=True):
            np.testing.assert_allclose(value, wanted, atol=1e-6)
    assert seen == [9, 3, 3, 3, 3, 3, 3], "what fits is remembered"
    assert [len(value) for value in found({name: value[:2] for name, value in batch.items()})] == [2, 2, 2]


@pytest.mark.parametrize(("capability", "mixed"), [((8, 0), True), ((7, 5), True), ((6, 1), False)])
def test_mixed_precision_is_tried_where_a_gpu_has_units_for_it(bench, monkeypatch, capability, mixed):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    network = FrozenNetwork(bench.backbone, 1, (), True)
    found = candidates(network, bench.frozen.inputs.batch(np.arange(2)), torch.device("cuda"), None)
    assert ("torch mixed" in found) is mixed


@pytest.mark.parametrize(("kind", "kept"), [("cpu", 1), ("cuda", 0)])
def test_engines_stay_where_no_gpu_needs_their_memory(bench, monkeypatch, kind, kept):
    plain = torch_engine(FrozenNetwork(bench.backbone, bench.backbone.depth, (), True), torch.device("cpu"))
    monkeypatch.setattr(frozen, "_ROWS_WORTH_TIMING", 1)
    monkeypatch.setattr(frozen, "fastest_engine", lambda *_, **__: plain)
    monkeypatch.setattr(bench.frozen, "_device", torch.device(kind))
    left = []
    monkeypatch.setattr(bench.backbone.module, "cpu", lambda: left.append(kind))
    bench.frozen.pooled(np.arange(4), (bench.backbone.depth,))
    assert len(bench.frozen._engines) == kept
    assert left == [kind] * (1 - kept), "the network leaves it too"


def test_what_an_engine_gives_that_is_not_finite_is_computed_by_plain_torch(bench, monkeypatch):
    """Half precision may overflow on another batch than the one that it was checked on."""
    depth, rows = bench.backbone.depth, np.arange(40)
    plain = torch_engine(FrozenNetwork(bench.backbone, depth, (), True), torch.device("cpu"))
    asked = []

    def overflowing(batch):
        asked.append(len(asked))
        return [np.where(len(asked) == 2, np.inf, value) for value in plain(batch)]

    monkeypatch.setattr(frozen, "_ROWS_WORTH_TIMING", 1)
    monkeypatch.setattr(frozen, "fastest_engine", lambda *_, **__: overflowing)
    found = bench.frozen.pooled(rows, (depth,))
    assert asked == [0, 1], "it is not asked again"
    for row, values in zip(rows, found, strict=True):
        assert np.allclose(values, directly(bench, row, depth), atol=1e-4)


def test_the_pace_of_a_few_rows_gives_way_to_that_of_many_and_not_the_other_way_round(bench, monkeypatch):
    part, depths = bench.frozen, (bench.backbone.depth,)
    part.seconds_a_row = 1e6
    part.pooled(np.arange(4), depths)
    assert part.seconds_a_row == 1e6
    monkeypatch.setattr(frozen, "_ROWS_WORTH_TIMING", 4)
    part.pooled(np.arange(4, 8), depths)
    assert 0 < part.seconds_a_row < 1e6


def test_activations_that_half_precision_cannot_hold_are_its_largest_number(bench, monkeypatch):
    depth, rows = bench.backbone.depth, np.arange(4)
    plain = torch_engine(FrozenNetwork(bench.backbone, depth, (1,), True), torch.device("cpu"))

    def large(batch):
        pooled, hidden = plain(batch)
        return [pooled, hidden * 1e9]

    monkeypatch.setattr(bench.frozen, "_engine", lambda *_: large)
    bench.frozen.pooled(rows, (depth,), capture=(1,))
    kept = bench.frozen.hidden(rows, 1)["hidden"]
    assert torch.isfinite(kept).all()
    assert float(kept.abs().max()) == 65504.0
