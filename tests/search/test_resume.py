"""What survives kill -9, Ctrl-C, torn journals and stale locks."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from search_fakes import CurveSpace, FakeFactory

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.budget import Budget
from autotl.search.loop import run_search
from autotl.search.proposals import Proposal
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder

SCRIPT = """
import sys
sys.path[:0] = sys.argv[2:]
from search_fakes import *
from autotl.search.budget import Budget
from autotl.search.loop import run_search
folder = RunFolder(sys.argv[1])
budget = Budget(trials=50)
space = CurveSpace(epochs=4)
results = run_search(space, FakeFactory(folder, step_seconds=0.1), folder, budget=budget)
print(len(results), budget.cancelled, results[-1].state, len(results[-1].curve))
"""


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def search(folder, trials, **options):
    factory = FakeFactory(folder, **options)
    space = CurveSpace(epochs=4)
    return run_search(space, factory, folder, budget=Budget(trials=trials)), factory


def begin_in_process(folder):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder.path), *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition, process, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "the search made no progress"
        time.sleep(0.01)


def epochs_in_journal(folder):
    lines = folder.journal.read_text().splitlines() if folder.journal.exists() else []
    return sum('"intermediate_value"' in line for line in lines)


def states(folder):
    with StudyStorage(folder) as storage:
        return [t.state.name for t in storage.trials()]


def test_a_search_killed_in_the_middle_of_a_trial_resumes_and_loses_nothing(folder):
    process = begin_in_process(folder)
    wait_until(lambda: epochs_in_journal(folder) >= 10, process)  # trial 2, after its second epoch
    process.kill()
    process.communicate()
    before = folder.results()
    weights = [(folder.trial(r.number) / "model.safetensors").read_bytes() for r in before]
    assert len(before) == 2
    assert states(folder) == ["COMPLETE", "COMPLETE", "RUNNING"]

    results, factory = search(folder, 5)
    assert results[:2] == before
    assert factory.started[0] == CurveSpace(epochs=4).portfolio()[2]  # the broken one comes first
    assert len(factory.started) == 3
    assert [r.number for r in results] == [0, 1, 3, 4, 5]
    assert states(folder)[2] == "FAIL"
    assert [(folder.trial(r.number) / "model.safetensors").read_bytes() for r in before] == weights


def test_a_search_killed_in_its_first_trial_begins_anew_with_trial_0(folder):
    process = begin_in_process(folder)
    wait_until(lambda: epochs_in_journal(folder) >= 1, process)
    process.kill()
    process.communicate()
    results, factory = search(folder, 2)
    assert [r.number for r in results] == [0, 1]
    assert factory.started == CurveSpace(epochs=4).portfolio()[:2]


@pytest.mark.parametrize("epochs", [5, 6, 7])
def test_ctrl_c_ends_the_search_and_keeps_what_the_running_trial_reached(folder, epochs):
    process = begin_in_process(folder)
    wait_until(lambda: epochs_in_journal(folder) >= epochs, process)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    count, cancelled, state, reached = out.split()
    assert (count, cancelled, state, reached) == ("2", "True", "pruned", str(epochs - 4))
    assert (folder.trial(1) / "model.safetensors").exists()
    assert states(folder) == ["COMPLETE", "PRUNED"]


def test_ctrl_c_in_a_first_epoch_leaves_that_trial_for_a_resumed_search(folder):
    class Interrupting(FakeFactory):
        def start(self, number, config):
            if number == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().start(number, config)

    space = CurveSpace(epochs=4)
    budget = Budget(trials=9)
    results = run_search(space, Interrupting(folder), folder, budget=budget)
    assert len(results) == 2
    assert budget.cancelled
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _, factory = search(folder, 3)
    assert factory.started == [space.portfolio()[2]]


class InterruptedFinish(FakeFactory):
    """Ctrl-C is typed while a trial writes what it has reached."""

    def start(self, number, config):
        trial = super().start(number, config)
        finish = trial.finish

        def interrupted_finish(*args):
            os.kill(os.getpid(), signal.SIGINT)
            return finish(*args)

        trial.finish = interrupted_finish
        return trial


def test_a_second_ctrl_c_raises(folder):
    def interrupt(number, epoch):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_search(CurveSpace(), InterruptedFinish(folder, fail=interrupt), folder, budget=Budget(trials=9))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_a_finished_trial_is_written_does_not_harm_it(folder):
    results = run_search(CurveSpace(), InterruptedFinish(folder), folder, budget=Budget(trials=9))
    assert [(r.state, len(r.curve)) for r in results] == [(TrialState.COMPLETE, 3)]


def test_a_trial_whose_result_is_on_disk_is_told_from_there(folder):
    """The process died between writing the result and telling the journal."""
    results, _ = search(folder, 2)
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    told = max(i for i, line in enumerate(lines) if b'"state":1' in line)
    folder.journal.write_bytes(b"".join(lines[:told]))
    assert states(folder) == ["COMPLETE", "RUNNING"]
    again, factory = search(folder, 2)
    assert again == results
    assert factory.started == []
    assert states(folder) == ["COMPLETE", "COMPLETE"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-7],  # a torn last record
        lambda whole: whole + b'{"op_code":6,"trial',
        lambda whole: whole + b'{"op_code":6,"tri\n',
        lambda whole: whole + b"\0" * 64,
        lambda whole: b"",
    ],
)
def test_a_torn_journal_opens_takes_new_trials_and_loses_no_result(folder, damage):
    results, _ = search(folder, 3)
    folder.journal.write_bytes(damage(folder.journal.read_bytes()))
    again, factory = search(folder, 5)
    assert again[:3] == results
    assert len(factory.started) == 2
    assert set(states(folder)) <= {"COMPLETE", "PRUNED"}
    assert states(folder) == [r.state.name for r in again]
    for line in folder.journal.read_text().splitlines():
        json.loads(line)


def test_a_missing_journal_is_rebuilt_with_the_numbers_of_the_results(folder):
    search(folder, 4, fail=lambda n, e: ValueError("odd") if n == 1 else None)
    folder.journal.unlink()
    (folder.trial(2) / "result.json").unlink()
    results, factory = search(folder, 5)
    assert [r.number for r in results] == [0, 1, 3, 4, 5]
    assert states(folder) == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert len(factory.started) == 2


def test_a_stale_lock_does_not_delay_the_search(folder):
    search(folder, 1)
    folder.journal.with_name("journal.log.lock").touch()
    begun = time.monotonic()
    results, _ = search(folder, 2)
    assert len(results) == 2
    assert time.monotonic() - begun < 2


def test_a_configuration_that_keeps_killing_the_process_is_given_up(folder):
    search(folder, 1)
    killer = CurveSpace(epochs=4).portfolio()[1]
    for expected in ([killer], [killer], []):
        with StudyStorage(folder) as storage:
            storage.begin(Proposal(killer, "portfolio"))
        with StudyStorage(folder) as storage:
            assert list(storage.recover().retry) == expected


def test_the_resumed_sampler_knows_the_earlier_trials(folder):
    first, _ = search(folder, 8)
    more, factory = search(folder, 12)
    assert more[:8] == first
    keys = [r.config.key for r in more]
    assert len(set(keys)) == len(keys) == 12
    assert len(factory.started) == 4
    with StudyStorage(folder) as storage:
        assert [t.user_attrs["source"] for t in storage.trials()[8:]] == ["tpe"] * 4


def test_any_optuna_tool_can_open_the_journal(folder):
    results, _ = search(folder, 6)
    backend = optuna.storages.journal.JournalFileBackend(str(folder.journal))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    assert study.best_value == max(r.score for r in results if r.state is TrialState.COMPLETE)
    assert study.best_trial.params["strategy"] in ("slow", "fast")
    for trial, result in zip(study.trials, results, strict=True):
        assert trial.user_attrs["config"] == result.config.to_json()
        assert trial.user_attrs["result"]["curve"][0]["score"] == trial.intermediate_values[1]


def test_what_is_recorded_is_json_even_where_there_is_no_loss():
    result = TrialResult(
        0,
        TrialConfig("net", "linear_probe"),
        TrialState.COMPLETE,
        0.5,
        (EpochResult(1, 0.5, float("nan"), 2.0), EpochResult(2, 0.6, 0.25, 2.0)),
    )
    text = json.dumps(result.to_json(), allow_nan=False)
    again = TrialResult.from_json(json.loads(text))
    assert math.isnan(again.curve[0].train_loss)
    assert again.curve[1] == result.curve[1]
