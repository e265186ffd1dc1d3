"""The depths that a head reads are found by closed-form fits, and by validation where that is clear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autotl.config import TrialConfig
from autotl.strategies.linear_probe import STRATEGY, depth_sets
from autotl.task import TaskKind
from autotl.testing.workbench import KINDS, tiny_workbench
from autotl.training.depths import promising, surpasses

DEPTH, WIDTH = 4, 8


class Features:
    """Pooled features of given quality by depth: the signal of the targets, and noise."""

    def __init__(self, targets, signal):
        rng = np.random.default_rng(0)
        targets = targets if targets.ndim == 2 else np.stack([targets, targets**2], axis=1)
        centred = (targets - targets.mean(axis=0)) @ rng.normal(size=(targets.shape[1], WIDTH))
        noise = rng.normal(size=(DEPTH, len(targets), WIDTH))
        self.values = (np.array(signal)[:, None, None] * centred + noise).astype(np.float32)

    def pooled(self, rows, depths, view=None, *, capture=()):
        return np.concatenate([self.values[depth - 1][rows] for depth in depths], axis=1)


def bench_of(folder, signal, kind=TaskKind.MULTICLASS):
    bench = tiny_workbench(folder, kind=kind)
    return replace(bench, frozen=Features(bench.dataset.targets, signal))


def probe(bench, **params):
    run = STRATEGY.start(bench, TrialConfig("tiny-image", "linear_probe", params))
    return run, run.step()


@pytest.mark.parametrize("kind", KINDS)
def test_an_inner_depth_is_found_where_the_last_is_useless(tmp_path, kind):
    head = "ridge" if kind is TaskKind.REGRESSION else "logistic"
    bench = bench_of(tmp_path, [0.0, 20.0, 0.0, 0.0], kind)
    run, found = probe(bench, depths="auto", head=head)
    _, last = probe(bench, depths="last", head=head)
    assert run.refit_config().get("depths") == "2"
    assert found.score > last.score + 0.2


def test_of_equals_the_simplest_is_preferred(tmp_path):
    bench = bench_of(tmp_path, [5.0, 5.0, 5.0, 5.0])
    assert promising(bench, depth_sets("auto", DEPTH), 2)[0].depths == (DEPTH,)


def test_depths_that_complete_each_other_are_read_together(tmp_path):
    bench = bench_of(tmp_path, [0.0, 0.0, 0.0, 0.0])
    labels = bench.dataset.targets
    for depth, label in ((2, 0), (3, 1), (4, 2)):
        bench.frozen.values[depth - 1] += 4.0 * (labels == label)[:, None]
    assert len(promising(bench, depth_sets("auto", DEPTH), 1)[0].depths) > 1


def test_a_few_features_of_all_depths_may_be_used(tmp_path):
    bench = bench_of(tmp_path, [0.0, 5.0, 0.0, 0.0])
    run, result = probe(bench, depths="all", share=0.25, head="ridge")
    used = run.state()["weight"].abs().sum(dim=0) > 0
    assert int(used.sum()) == DEPTH * WIDTH // 4
    assert used[WIDTH : 2 * WIDTH].sum() >= WIDTH // 2
    assert result.score > 0.9


def test_every_single_depth_is_looked_at_from_the_last_on():
    assert depth_sets("auto", 4) == [(4,), (3,), (2,), (1,), (2, 3, 4), (1, 2, 3, 4)]
    assert depth_sets("auto", 1) == [(1,)]


def test_only_more_than_the_noise_surpasses(tmp_path):
    bench = tiny_workbench(tmp_path)
    targets = np.arange(90) % 3
    right = np.eye(3)[targets]
    one_wrong, many_wrong = right.copy(), right.copy()
    one_wrong[0] = [0, 1, 0]
    many_wrong[:30] = np.roll(many_wrong[:30], 1, axis=1)
    assert surpasses(bench, targets, right, many_wrong)
    assert not surpasses(bench, targets, right, right)
    assert not surpasses(bench, targets, many_wrong, one_wrong)
