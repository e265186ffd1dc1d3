"""What later runs learn from earlier ones, and what they never learn."""

from __future__ import annotations

import logging
import math
import multiprocessing
import sqlite3
from dataclasses import replace

import pytest

from autotl.automl.experience import Experience
from autotl.config import Choice, EpochResult, Float, TrialConfig, TrialResult, TrialState
from autotl.profile.profile import DatasetProfile
from autotl.search.events import Note
from autotl.search.experience import ExperienceStore, Facts, distance, store_path
from autotl.search.warm_start import portfolio_with, recommended
from autotl.space.space import Parameter, SearchSpace, StrategySpace


def facts(data="a", rows=1000.0, kind="multiclass"):
    return Facts(data, "text", kind, "accuracy", {"rows": rows, "outputs": 5.0})


def trial(number, score, state=TrialState.COMPLETE, **params):
    config = TrialConfig("net", params.pop("strategy", "top_k"), params)
    curve = (EpochResult(1, score, 0.5, 2.0),) if score is not None else ()
    return TrialResult(number, config, state, score, curve, 3.0)


@pytest.fixture
def store(tmp_path):
    return ExperienceStore(tmp_path / "folder" / "experience.sqlite")


# --- the store ------------------------------------------------------------------------------------------


def test_what_was_recorded_is_read_back(store):
    results = [
        trial(0, 0.8, strategy="linear_probe"),
        trial(1, 0.9, cut=0.5),
        trial(2, None, TrialState.FAILED),
    ]
    store.record(facts(), results, {"all": 1e10})
    (past,) = store.runs("text")
    assert past.facts == facts()
    assert list(past.results) == results
    assert store.runs("image") == []
    assert store.rates() == {"all": 1e10}


def test_a_run_on_the_same_data_replaces_the_earlier_one(store):
    store.record(facts("a"), [trial(0, 0.8)], {"all": 1e10, "full": 2e9})
    store.record(facts("b"), [trial(0, 0.7)], {"all": 2e10})
    store.record(facts("a"), [trial(0, 0.9)], {"all": 3e10})
    assert [(past.facts.data, past.results[0].score) for past in store.runs("text")] == [
        ("b", 0.7),
        ("a", 0.9),
    ]
    assert store.rates() == {"all": 3e10}


def test_the_path_of_a_local_backbone_is_not_stored_and_its_recipe_is_recommended_again(store, space):
    place = "local:/home/someone/secret:resnet50"
    local = replace(
        space, strategies=tuple(replace(s, backbones=(*s.backbones, place)) for s in space.strategies)
    )
    won = TrialConfig(place, "top_k", {"cut": 0.5, "learning_rate": 5e-3})
    store.record(facts(), [trial(0, 0.8, strategy="linear_probe"), replace(trial(1, 0.9), config=won)], {})
    assert b"secret" not in store._path.read_bytes()
    assert [config.backbone for config in recommended(store.runs("text"), facts(), local)] == [place]
    assert recommended(store.runs("text"), facts(), space) == []


def test_rates_of_another_machine_tell_nothing(store, monkeypatch):
    store.record(facts(), [], {"all": 1e10})
    monkeypatch.setattr("autotl.search.experience.this_machine", lambda: "another")
    assert store.rates() == {}


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 20, b""])
def test_a_damaged_store_costs_a_warning_and_nothing_else(store, tmp_path, content, caplog):
    store._path.parent.mkdir()
    store._path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.runs("text") == []
        store.record(facts(), [trial(0, 0.8)], {})
    if content:
        assert "cannot be used" in caplog.text
    else:
        assert len(store.runs("text")) == 1


def test_a_store_of_another_version_is_left_alone(store, caplog):
    store.record(facts(), [trial(0, 0.8)], {})
    with sqlite3.connect(store._path) as database:
        database.execute("PRAGMA user_version = 99")
    assert store.runs("text") == []
    assert "another version" in caplog.text


def test_an_unwritable_folder_costs_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    ExperienceStore(tmp_path / "file" / "experience.sqlite").record(facts(), [], {})
    assert "cannot be used" in caplog.text


def _write_many(path, name):
    for i in range(10):
        ExperienceStore(path).record(facts(f"{name}{i}"), [trial(0, 0.8)], {})


def test_two_processes_write_side_by_side(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(store._path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(store.runs("text")) == 20


def test_its_folder_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTL_DATA_DIR", str(tmp_path))
    assert store_path() == tmp_path / "experience.sqlite"


# --- what is learned ------------------------------------------------------------------------------------


@pytest.fixture
def space():
    parameters = (
        Parameter("cut", "cut", Choice((0.5, 0.75), 0.75)),
        Parameter("learning_rate", "learning_rate", Float(1e-4, 1e-2, 1e-3, log=True)),
    )
    return SearchSpace(
        ("net",),
        "net",
        (StrategySpace("linear_probe", ("net",), ()), StrategySpace("top_k", ("net",), parameters)),
        (
            TrialConfig("net", "linear_probe"),
            TrialConfig("net", "top_k", {"cut": 0.75, "learning_rate": 1e-3}),
            TrialConfig("net", "top_k", {"cut": 0.75, "learning_rate": 2e-3}),
        ),
    )


def test_data_sets_are_near_where_their_numbers_are(store):
    assert distance(facts(), facts("b")) == 0
    assert distance(facts(), facts(rows=1100.0)) < distance(facts(), facts(rows=9000.0))
    assert distance(facts(), facts(kind="regression")) >= 1
    assert math.isinf(distance(facts(), Facts("c", "text", "multiclass", "accuracy", {})))


def test_winners_of_similar_data_are_recommended_nearest_first(store, space):
    probe = trial(0, 0.8, strategy="linear_probe")
    store.record(facts("far", rows=1e9), [probe, trial(1, 0.9, cut=0.5, learning_rate=1e-4)], {})
    store.record(facts("near", rows=2000.0), [probe, trial(1, 0.9, cut=0.5, learning_rate=5e-3)], {})
    store.record(facts("same"), [probe, trial(1, 0.9, cut=0.5, learning_rate=9.0)], {})
    store.record(facts("lost"), [trial(0, 0.9, strategy="linear_probe"), trial(1, 0.8, cut=0.5)], {})
    store.record(facts("gone"), [probe, trial(1, 0.9, strategy="no_longer_there")], {})
    found = recommended(store.runs("text"), facts(), space)
    assert [config.params["learning_rate"] for config in found] == [1e-2, 5e-3]
    assert all(space.contains(config) for config in found)


def test_recommendations_come_after_the_first_entries_and_once(space):
    known, new = space.portfolio()[2], TrialConfig("net", "top_k", {"cut": 0.5, "learning_rate": 1e-3})
    assert portfolio_with([new, known], space.portfolio()) == [*space.portfolio()[:2], new, known]


def test_a_run_leaves_its_trials_and_the_next_one_tries_the_winner_early(tmp_path, space, monkeypatch):
    monkeypatch.setenv("AUTOTL_DATA_DIR", str(tmp_path))
    task = {"kind": "multiclass", "metric": "accuracy", "classes": ["secret"], "target": "label"}
    profile = DatasetProfile(
        "text", task, {"train": 10}, meta_features={"rows": 10.0}, source="/home/me", fingerprint="f"
    )
    told = []
    first = Experience(True, told.append)
    assert first.advise(profile, space) == (space, [])
    winner = trial(1, 0.9, cut=0.5, learning_rate=2e-3)
    first.record(profile, [trial(0, 0.8, strategy="linear_probe"), winner], {"top_k": 1e9})
    moving = replace(space, free=frozenset({winner.config.key}))
    advised, recorded = Experience(True, told.append).advise(profile, moving)
    assert advised.portfolio()[2] == winner.config
    assert not advised.free, "it won on this backbone, and does not move to another"
    assert recorded == [winner.config.to_json()]
    assert told == [Note("won on similar data, offered early: net, top_k")]
    assert Experience(True, told.append).rates() == {"top_k": 1e9}
    content = (tmp_path / "experience.sqlite").read_bytes()
    assert b"secret" not in content
    assert b"/home/me" not in content


def test_trials_on_similar_data_teach_a_later_run_beside_what_ships(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTL_DATA_DIR", str(tmp_path))
    profile = DatasetProfile("text", {"kind": "multiclass", "metric": "accuracy"}, {"train": 10})
    profile = replace(profile, meta_features={"rows": 10.0}, fingerprint="f")
    shipped = Experience(False, lambda event: None).lessons(profile)
    assert shipped
    own = Experience(True, lambda event: None)
    assert own.lessons(profile) == shipped
    own.record(profile, [trial(n, 0.5 + 0.05 * n, cut=0.1 * n) for n in range(6)], {})
    taught = own.lessons(profile)
    assert taught[: len(shipped)] == shipped
    assert [lesson.config.get("cut") for lesson in taught[len(shipped) :]] == [0.1 * n for n in range(6)]


def test_an_experience_that_is_not_used_reads_and_writes_nothing(tmp_path, space, monkeypatch):
    monkeypatch.setenv("AUTOTL_DATA_DIR", str(tmp_path))
    profile = DatasetProfile("text", {"kind": "multiclass", "metric": "accuracy"}, {"train": 10})
    unused = Experience(False, lambda event: None)
    unused.record(profile, [trial(0, 0.8)], {})
    assert unused.advise(profile, space) == (space, [])
    assert unused.rates() == {}
    assert list(tmp_path.iterdir()) == []
