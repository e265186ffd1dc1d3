"""Which head of a path is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from autotl.task import TaskKind
from autotl.testing.workbench import tiny_workbench
from autotl.training import heads
from autotl.training.heads import fit_head
from autotl.training.linear import LinearHead


def path_of(*scores):
    """A stand-in for a path: as many heads as scores, and the scores in turn."""
    given = iter(scores)

    def candidates(*_):
        for number, _score in enumerate(scores):
            yield LinearHead(torch.zeros(3, 4), torch.zeros(3), float(number))

    return candidates, lambda raw: next(given)


def kept(tmp_path, monkeypatch, *scores):
    bench = tiny_workbench(tmp_path)
    candidates, score = path_of(*scores)
    monkeypatch.setattr(heads, "candidate_heads", candidates)
    monkeypatch.setattr(type(bench), "score", lambda bench, raw: score(raw))
    rows = (len(bench.splits.train), len(bench.splits.val))
    return fit_head(bench, "logistic", *(torch.zeros(count, 4) for count in rows))[0].penalty


def test_strong_penalties_that_all_name_one_class_do_not_end_the_path(tmp_path, monkeypatch):
    assert kept(tmp_path, monkeypatch, 0.9, 0.9, 0.9, 0.9, 0.93, 0.95) == 5


def test_of_equals_the_strongest_penalty_is_kept(tmp_path, monkeypatch):
    assert kept(tmp_path, monkeypatch, 0.8, 0.9, 0.9, 0.9) == 1


def test_a_path_ends_once_some_heads_were_worse(tmp_path, monkeypatch):
    assert kept(tmp_path, monkeypatch, 0.8, 0.9, 0.7, 0.9, 0.7, 0.7, 1.0) == 1


def test_a_rare_class_is_learnt_from_few_rows(tmp_path):
    """One of six rows: strong penalties name the other class alone."""
    bench = tiny_workbench(tmp_path, kind=TaskKind.BINARY)
    rng = np.random.default_rng(0)
    rare = np.arange(len(bench.dataset)) % 6 == 0
    features = torch.from_numpy((rng.normal(size=(len(rare), 4)) + 2.5 * rare[:, None]).astype(np.float32))
    dataset = replace(bench.dataset, targets=rare.astype(np.int64))
    bench = replace(bench, dataset=dataset)
    parts = (features[bench.splits.train], features[bench.splits.val])
    _, raw, _ = fit_head(bench, "logistic", *parts)
    assert raw.argmax(dim=1).unique().tolist() == [0, 1]


def test_class_weights_lie_where_the_training_is(tmp_path):
    weights = replace(tiny_workbench(tmp_path), device=torch.device("meta")).class_weights("balanced")
    assert weights.device.type == "meta"
