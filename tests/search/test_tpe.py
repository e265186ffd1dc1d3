"""The sampler draws what is asked for, group by group, and learns."""

import optuna
import pytest

from autotl.search.tpe import LazyGroupTpe


def suggest(trial):
    if trial.suggest_categorical("branch", ["left", "right"]) == "left":
        return trial.suggest_float("left.x", 0, 1) + trial.suggest_float("left.y", 0, 1)
    return trial.suggest_float("right.x", 0, 1) - 1


@pytest.fixture
def study():
    study = optuna.create_study(direction="maximize", sampler=LazyGroupTpe(0, 4))
    study.optimize(suggest, n_trials=40)
    return study


def test_it_learns_which_branch_and_which_values_are_good(study):
    late = [trial.value for trial in study.trials[-15:]]
    assert sum(late) / len(late) > sum(trial.value for trial in study.trials[:10]) / 10 + 0.3


def test_only_groups_that_are_asked_for_are_sampled(study, monkeypatch):
    drawn = []
    real = optuna.samplers.TPESampler._sample

    def note(self, study, trial, search_space):
        drawn.append(sorted(search_space))
        return real(self, study, trial, search_space)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_sample", note)
    trial = study.ask()
    suggest(trial)
    branch = trial.params["branch"]
    assert drawn == [["branch"], ["left.x", "left.y"] if branch == "left" else ["right.x"]]


def test_the_same_seed_gives_the_same_values(study):
    again = optuna.create_study(direction="maximize", sampler=LazyGroupTpe(0, 4))
    again.optimize(suggest, n_trials=40)
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
