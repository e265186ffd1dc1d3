"""What trials on other data sets teach."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autotl.backbones.catalogue import space_files
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.candidates import Probed, probed
from autotl.search.experience import Facts, Past
from autotl.search.lessons import Lesson, lessons, read_lessons
from autotl.search.warm_start import lessons_of


def trial(score, epochs=2, seconds=3.0, **params):
    config = TrialConfig(
        "net", "full", {"epochs": epochs, "input_size": 128, "learning_rate": score, **params}
    )
    return config, [EpochResult(n + 1, score, 0.5, seconds) for n in range(epochs)]


def test_merits_and_paces_are_told_in_deviations_from_the_mean():
    found = lessons([trial(1 - (0.1 * n) ** 2, epochs=n, seconds=float(n)) for n in range(1, 8)])
    assert [lesson.config.epochs for lesson in found] == list(range(1, 8))
    for values in ([lesson.merit for lesson in found], [lesson.pace for lesson in found]):
        assert np.mean(values) == pytest.approx(0.0, abs=1e-9)
        assert np.std(values) == pytest.approx(1.0)
    assert found[0].merit_unit == pytest.approx(0.2), "the root of the error counts"
    assert found[0].pace_unit == pytest.approx(np.log(np.arange(1, 8)).std())


def test_what_is_far_below_the_median_counts_as_equally_bad():
    found = lessons([trial(score) for score in (0.1, 0.5, 0.8, 0.85, 0.9)])
    assert found[0].merit == found[1].merit


def test_few_trials_equal_scores_and_curves_without_an_epoch_teach_nothing():
    assert lessons([trial(0.1 * n) for n in range(4)]) == []
    assert lessons([trial(0.5) for _ in range(9)]) == []
    assert len(lessons([*(trial(0.1 * n) for n in range(6)), (trial(0.9)[0], [])])) == 6


def training(scores, epochs):
    curve = [EpochResult(i, score, 0.5, 1.0) for i, score in enumerate(scores, start=1)]
    return TrialConfig("net", "full", {"epochs": epochs}), curve


def test_whole_trainings_teach_how_errors_fall():
    others = [trial(0.1 * n, epochs=1) for n in range(6)]
    whole, cut_short = training([0.5, 0.75], 2), training([0.5, 0.75], 3)
    found = lessons([*others, whole, cut_short])
    assert found[6].errors == pytest.approx(np.log([0.5, 0.25]))
    assert {lesson.errors for lesson in (*found[:6], found[7])} == {()}


def test_losses_fall_in_units_of_the_best_one():
    found = lessons([training([-4.0, -2.0 - n], 2) for n in range(6)])
    assert found[0].errors == pytest.approx(np.log([2.0, 1.0]))


def test_a_parameter_that_never_varied_is_left_out():
    assert {
        name for lesson in lessons([trial(0.1 * n) for n in range(6)]) for name in lesson.config.params
    } == {"learning_rate"}


def test_lessons_go_to_a_file_and_back(tmp_path):
    found = lessons([trial(0.1 * n) for n in range(6)])
    path = tmp_path / "image.jsonl"
    path.write_text("".join(json.dumps(lesson.to_json()) + "\n" for lesson in found))
    assert read_lessons(path) == found
    assert read_lessons(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("modality", ["image", "text"])
def test_lessons_ship_for_every_modality(modality):
    shipped = read_lessons(space_files()[modality].with_suffix(".jsonl"))
    assert len(shipped) >= 30
    assert {lesson.config.strategy for lesson in shipped} >= {"linear_probe", "full", "top_k"}
    assert all(isinstance(lesson, Lesson) and abs(lesson.merit) < 6 for lesson in shipped)


def test_runs_on_similar_data_teach_the_nearest_last():
    facts = Facts("a", "image", "multiclass", "accuracy", {"rows": 100.0})
    results = tuple(
        TrialResult(n, *trial(0.1 * n)[:1], TrialState.COMPLETE, 0.1 * n, tuple(trial(0.1 * n)[1]), 6.0)
        for n in range(1, 7)
    )
    lost = replace(results[0], number=9, state=TrialState.FAILED)
    near, nearer, far = (
        Past(replace(facts, data=name, meta={"rows": rows}), (*results, lost))
        for name, rows in (("b", 150.0), ("c", 101.0), ("d", 1e9))
    )
    found = lessons_of([nearer, far, near], facts)
    assert len(found) == 12
    halved = Past(nearer.facts, tuple(replace(r, curve=r.curve[:1]) for r in results))
    assert lessons_of([halved, near], facts)[:6] == found[:6]


def test_of_each_backbone_the_best_probe_counts():
    rows = [
        {"backbone": f"net{n % 3}", "rows": 0 if n == 2 else 250, "fused": 0.9 - 0.05 * n, "seconds": 2.0}
        for n in range(6)
    ]
    found = probed(rows)
    assert found == [Probed("net0", 0.9, 250), Probed("net1", 0.85, 250), Probed("net2", 0.65, 250)]
