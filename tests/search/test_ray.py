"""The search under Ray, on a real cluster of two nodes on this machine."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import search_fakes
from search_fakes import CurveSpace, FakeFactory, FakeTrial

from autotl.config import TrialState
from autotl.errors import MissingExtraError, RunError
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Note, TrialFinished, TrialStarted
from autotl.search.loop import run_search
from autotl.search.ray import run_ray
from autotl.search.ray_session import RaySetup
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder
from autotl.versions import install_command

EPOCHS = 8
#: Within which two trials are under way, or the attempt is given up.
_BUSY_SECONDS = 60
_PATIENCE_SECONDS = 120


class SavingTrial(FakeTrial):
    """Keeps its checkpoint on disk, and a list of all epochs that were ever run, each with its process."""

    def step(self):
        result = super().step()
        with (self.folder.trial(self.number) / "epochs.txt").open("a") as file:
            file.write(f"{result.epoch} {os.getpid()}\n")
        return result

    def pause(self):
        result = self.finish(TrialState.PAUSED)
        self.finishes = 0
        path = self.folder.trial(self.number) / "checkpoint.json"
        path.write_text(json.dumps(result.to_json()))
        return result


@dataclass
class SavingFactory(FakeFactory):
    """Trials of one score, so that ASHA stops none."""

    def resume(self, result):
        assert (self.folder.trial(result.number) / "checkpoint.json").is_file()
        return self._trial(result.number, result.config, list(result.curve))

    def _trial(self, number, config, curve):
        self.folder.trial(number).mkdir(parents=True, exist_ok=True)
        return SavingTrial(
            number, config, self.folder, level_score, self.step_seconds, fail=self.fail, curve=curve
        )


def level_score(config, epoch):
    return epoch / 100


def fails_in_two_ways(number, epoch):
    if number == 3:
        os._exit(1)
    return ValueError("odd") if number == 2 and epoch == 1 else None


def holds_until(path, number, epoch):
    """Trials after the first wait before their fourth epoch, so that one runs on each node."""
    if number and epoch == 4:
        wait_until(path.exists)


def steps(folder, number):
    """The epoch of each step of a trial, and its process."""
    lines = (folder.trial(number) / "epochs.txt").read_text().splitlines()
    return [tuple(map(int, line.split())) for line in lines]


def epochs_run(folder, number):
    return Counter(epoch for epoch, _ in steps(folder, number))


def workers(folder):
    """The processes that trials have run in and that are still there."""
    found = {process for path in folder.path.glob("trials/*") for _, process in steps(folder, int(path.name))}
    return {process for process in found if Path(f"/proc/{process}").exists()}


def wait_until(condition):
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def reached_epochs(folder):
    """Epochs of each trial that is saved but not over."""
    return {r.number: len(r.curve) for r in folder.results() if r.state is TrialState.PAUSED}


@pytest.fixture
def cluster():
    """Two nodes of one CPU each, for one test: what a test has killed is nobody else's concern."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    for module in (search_fakes, sys.modules[__name__]):
        ray.cloudpickle.register_pickle_by_value(module)
    node = {"num_cpus": 1, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


def search(cluster, folder, factory, trials, listener, epochs=EPOCHS):
    return run_ray(
        CurveSpace(portfolio=3, epochs=epochs),
        factory,
        folder,
        budget=Budget(500, trials),
        listener=listener,
        epochs=epochs,
        setup=RaySetup(cluster.address),
    )


def test_a_missing_ray_is_answered_with_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "autotl.search.ray_tune", raising=False)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("ray"))):
        run_ray(CurveSpace(), lambda: None, RunFolder(tmp_path / "run"), budget=Budget(trials=1))
    assert not (tmp_path / "run").exists()


def test_as_many_trials_run_at_once_as_the_scarcest_resource_allows():
    nodes = [{"CPU": 8.0, "GPU": 1.0, "memory": 1e9}, {"CPU": 4.0}]
    assert RaySetup().slots(nodes) == 12
    assert RaySetup(trial_cpus=3).slots(nodes) == 3
    assert RaySetup(trial_cpus=4, trial_gpus=1).slots(nodes) == 1
    assert RaySetup(trial_cpus=1, trial_gpus=0.25).slots(nodes) == 4
    told = r"what a trial reserves; found 8 CPU, 1 GPU; 4 CPU, 0 GPU; expected 12 CPU, 0.5 GPU. Ask for less"
    with pytest.raises(RunError, match=told):
        RaySetup(trial_cpus=12, trial_gpus=0.5).slots(nodes)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_address_without_a_cluster_is_named(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(RunError, match=r"no Ray cluster can be joined there; found ray://far:1 .*ray start"):
        run_ray(
            CurveSpace(),
            lambda: None,
            RunFolder(tmp_path / "run"),
            budget=Budget(trials=1),
            setup=RaySetup("ray://far:1"),
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_runs_the_same_trials_into_the_same_run_folder(cluster, tmp_path, capfd):
    folder = RunFolder(tmp_path / "run")
    space = CurveSpace(portfolio=3, epochs=4)
    first = run_search(space, FakeFactory(folder), folder, budget=Budget(trials=1))
    events = []
    builder = functools.partial(SavingFactory, folder, step_seconds=0.05, fail=fails_in_two_ways)
    results = search(cluster, folder, builder, 6, events.append, epochs=4)
    assert results[:1] == first
    assert [r.config for r in results[:3]] == space.portfolio()
    assert [r.number for r in results] == list(range(6))
    assert len({r.config.key for r in results}) == 6
    assert [r.state for r in results] == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.FAILED,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    assert results[2].error == "ValueError: odd"
    assert results[3].error.startswith("the worker died: ")
    notes = [e.message for e in events if isinstance(e, Note)]
    assert notes == ["trial 3 lost its worker and goes on from the start"] * 2
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
    assert Counter(e.number for e in events if isinstance(e, EpochDone)) == {1: 4, 4: 4, 5: 4}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def search_that_loses_a_node(cluster, folder):
    """Results, events, and what was complete when the node was killed: nothing if Ray left a node idle."""
    events, before, noticed = [], [], folder.path.with_suffix(".noticed")

    def listen(event):
        events.append(event)
        if isinstance(event, Note):  # the loss was noticed
            noticed.touch()

    def kill_a_node():
        """Once a trial is over, and one waits on each node."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while not (any(isinstance(e, TrialFinished) for e in events) and len(reached_epochs(folder)) == 2):
            if time.monotonic() > deadline:
                noticed.touch()  # let the trials go on, to be searched again
                return
            time.sleep(0.05)
        before.extend(r for r in folder.results() if r.state is TrialState.COMPLETE)
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    builder = functools.partial(SavingFactory, folder, fail=functools.partial(holds_until, noticed))
    killer = threading.Thread(target=kill_a_node)
    killer.start()
    try:
        return search(cluster, folder, builder, 5, listen), events, before
    finally:
        killer.join()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_node_that_dies_loses_nothing_finished_and_its_trial_goes_on_elsewhere(cluster, tmp_path, capfd):
    # Ray now and then starts the second trial on no node until the first is over: then there is none to lose.
    for attempt in range(4):
        folder = RunFolder(tmp_path / f"run{attempt}")
        results, events, before = search_that_loses_a_node(cluster, folder)
        if before:
            break
    assert before, "never were both nodes busy"
    assert [r for r in results if r.number in {b.number for b in before}] == before
    assert [(r.number, r.state, len(r.curve)) for r in results] == [
        (number, TrialState.COMPLETE, EPOCHS) for number in range(5)
    ]
    assert [[e.epoch for e in r.curve] for r in results] == [list(range(1, EPOCHS + 1))] * 5
    notes = [e.message for e in events if isinstance(e, Note)]
    assert len(notes) == 1
    lost = int(notes[0].split()[1])
    assert notes[0].startswith(f"trial {lost} lost its worker and goes on after epoch ")
    assert epochs_run(folder, lost)[1] == 1
    told = Counter((e.number, e.epoch.epoch) for e in events if isinstance(e, EpochDone))
    assert set(told.values()) == {1}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


KILLED = """
import functools, sys
import ray, search_fakes, test_ray
from autotl.trial.run_folder import RunFolder
class At:
    address = sys.argv[2]
for module in (search_fakes, test_ray):
    ray.cloudpickle.register_pickle_by_value(module)
folder = RunFolder(sys.argv[1])
builder = functools.partial(test_ray.SavingFactory, folder, step_seconds=0.5)
test_ray.search(At, folder, builder, 4, lambda event: None)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_after_a_kill_of_the_search_its_trials_go_on_from_their_checkpoints(cluster, tmp_path):
    folder = RunFolder(tmp_path / "run")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder.path), cluster.address],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: process.poll() is not None or any(n > 1 for n in reached_epochs(folder).values()))
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not workers(folder))  # Ray ends those of a dead driver
    waiting = reached_epochs(folder)
    assert waiting
    events = []
    results = search(
        cluster, folder, functools.partial(SavingFactory, folder, step_seconds=0.05), 4, events.append
    )
    notes = [(r.number, r.error) for r in results], [e.message for e in events if isinstance(e, Note)]
    assert [(r.state, len(r.curve)) for r in results] == [(TrialState.COMPLETE, EPOCHS)] * 4, (waiting, notes)
    assert set(waiting) <= {r.number for r in results}
    assert {c.key for c in CurveSpace(portfolio=3, epochs=EPOCHS).portfolio()} < {
        r.config.key for r in results
    }
    assert all(epochs_run(folder, number)[1] == 1 for number in waiting)
    told = Counter(e.number for e in events if isinstance(e, EpochDone))
    assert all(0 < told[number] <= EPOCHS - reached for number, reached in waiting.items())
