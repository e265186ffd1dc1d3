"""The first form of the Ray engine, on a real Ray of this machine."""

import functools
import sys

import pytest
import search_fakes
from search_fakes import CurveSpace, FakeFactory

from autotl.config import TrialState
from autotl.errors import MissingExtraError
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, TrialFinished, TrialStarted
from autotl.search.loop import run_search
from autotl.search.ray import run_ray
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder


def test_a_missing_ray_is_answered_with_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "autotl.search.ray_tune", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'autotl\[ray\]'"):
        run_ray(CurveSpace(), lambda: None, RunFolder(tmp_path / "run"), budget=Budget(trials=1))
    assert not (tmp_path / "run").exists()


def fails_at_rate_003(number, epoch):
    return ValueError("odd") if number == 2 and epoch == 1 else None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_runs_the_same_trials_into_the_same_run_folder(tmp_path, capfd):
    ray = pytest.importorskip("ray")
    ray.cloudpickle.register_pickle_by_value(search_fakes)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, logging_level="ERROR")
    folder = RunFolder(tmp_path / "run")
    space = CurveSpace(portfolio=3, epochs=4)
    first = run_search(space, FakeFactory(folder), folder, budget=Budget(trials=1))
    capfd.readouterr()
    events = []
    try:
        builder = functools.partial(FakeFactory, folder, step_seconds=0.1, fail=fails_at_rate_003)
        budget = Budget(500, 6)
        results = run_ray(space, builder, folder, budget=budget, listener=events.append, epochs=4)
    finally:
        ray.shutdown()
    assert results[:1] == first
    assert [r.config for r in results[:3]] == space.portfolio()
    assert [r.number for r in results] == list(range(6))
    assert len({r.config.key for r in results}) == 6
    assert results[2].state is TrialState.FAILED
    assert results[2].error == "ValueError: odd"
    for result in results:
        weights = folder.trial(result.number) / "model.safetensors"
        assert weights.exists() is (result.score is not None)
    assert folder.results() == results
    with StudyStorage(folder) as storage:
        for trial, result in zip(storage.trials(), results, strict=True):
            assert trial.user_attrs["config"] == result.config.to_json()
            assert trial.user_attrs["result"]["state"] == result.state.value
            assert len(trial.intermediate_values) == len(result.curve)
            assert trial.params["learning_rate"] == result.config.get("learning_rate")
    started = [e.number for e in events if isinstance(e, TrialStarted)]
    finished = [e.result.number for e in events if isinstance(e, TrialFinished)]
    assert sorted(started) == sorted(finished) == [1, 2, 3, 4, 5]
    assert sum(isinstance(e, EpochDone) for e in events) >= 8
    assert not budget.cancelled
    assert capfd.readouterr().out == ""
