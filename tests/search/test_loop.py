"""What the search loop does with trials that succeed, fail, and run out of budget."""

import errno
import json
import math
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from search_fakes import CurveSpace, FakeClock, FakeFactory, TinySpace

from autotl.config import TrialState
from autotl.errors import RunError, SearchError, StorageError, TrialError
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Note, TrialFinished, TrialStarted
from autotl.search.local import LocalBackend
from autotl.search.loop import run_search
from autotl.search.schedulers.fifo import Fifo
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def search(folder, *, space=None, trials=None, budget=None, factory=None, **options):
    return run_search(
        space or CurveSpace(),
        factory or FakeFactory(folder),
        folder,
        budget=budget or Budget(trials=trials),
        sampler_seed=options.pop("seed", 0),
        **options,
    )


def test_the_portfolio_comes_first_and_the_sampler_after_it(folder, monkeypatch):
    calls = []
    original = optuna.samplers.TPESampler._sample
    monkeypatch.setattr(
        optuna.samplers.TPESampler, "_sample", lambda *a, **k: calls.append(1) or original(*a, **k)
    )
    space = CurveSpace(portfolio=4)
    results = search(folder, space=space, trials=10)
    assert [r.config for r in results[:4]] == space.portfolio()
    assert len(calls) >= 6
    with StudyStorage(folder) as storage:
        sources = [t.user_attrs["source"] for t in storage.trials()]
    assert sources == ["portfolio"] * 4 + ["tpe"] * 6


def test_the_sampler_learns_from_the_results(folder):
    results = search(folder, trials=40)
    late = [abs(math.log10(r.config.get("learning_rate") / 0.1)) for r in results[25:]]
    assert sorted(late)[len(late) // 2] < 0.7  # nine seeds give 0.2 to 0.55; at random it were about 1


def test_the_budget_of_trials_is_exact_with_failures_counted(folder):
    factory = FakeFactory(folder, fail=lambda n, e: ValueError("odd") if n % 2 and e == 1 else None)
    results = search(folder, trials=7, factory=factory)
    assert [r.number for r in results] == list(range(7))
    assert [r.state is TrialState.FAILED for r in results] == [False, True] * 3 + [False]


def test_the_same_seed_gives_the_same_trials_in_another_process(folder, tmp_path):
    script = (
        "import sys, json; sys.path[:0] = sys.argv[2:]\n"
        "from search_fakes import *; from autotl.search.loop import run_search\n"
        "from autotl.search.budget import Budget\n"
        "f = RunFolder(sys.argv[1])\n"
        "r = run_search(CurveSpace(), FakeFactory(f), f, budget=Budget(trials=15), sampler_seed=3)\n"
        "print(json.dumps([[x.config.key, x.state, x.score] for x in r]))"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", script, str(tmp_path / seed), *paths],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    other = search(folder, trials=15, seed=4)
    assert [r.config.key for r in other] != [key for key, _, _ in runs[0]]


def test_no_configuration_runs_twice_and_an_exhausted_space_ends_the_search(folder):
    notes = []
    results = search(folder, space=TinySpace(), trials=50, listener=notes.append)
    assert sorted(r.config.get("k") for r in results) == [1, 2, 3, 4]
    assert Note("the search space is exhausted") in notes


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("cannot allocate 9 GiB"), "MemoryError: cannot allocate 9 GiB"),
        (RuntimeError("CUDA out of memory"), "RuntimeError: CUDA out of memory"),
        (TrialError("broken", hint="Mend it."), "TrialError: broken. Mend it."),
        (KeyError("head"), "KeyError: 'head'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_trial_that_raises_is_failed_with_its_error_and_the_search_goes_on(folder, error, message, epoch):
    factory = FakeFactory(folder, fail=lambda n, e: error if (n, e) == (1, epoch) else None)
    results = search(folder, trials=5, factory=factory)
    assert [r.state is TrialState.FAILED for r in results] == [False, True, False, False, False]
    assert results[1].error == message
    assert results[1].score is None
    assert not (folder.trial(1) / "model.safetensors").exists()
    assert folder.results() == results


def test_what_a_trial_reached_before_it_failed_counts(folder):
    factory = FakeFactory(folder, fail=lambda n, e: MemoryError() if (n, e) == (1, 3) else None)
    results = search(folder, trials=3, factory=factory)
    assert [r.state is TrialState.PRUNED for r in results] == [False, True, False]
    assert results[1].error == "MemoryError"
    assert (len(results[1].curve), results[1].best_epoch) == (2, 2)
    assert results[1].score == results[1].curve[1].score
    assert (folder.trial(1) / "model.safetensors").exists()
    assert folder.results() == results


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("epoch", "state"), [(1, TrialState.FAILED), (2, TrialState.PRUNED)])
def test_an_epoch_whose_score_is_not_finite_ends_the_trial_and_does_not_count(folder, score, epoch, state):
    factory = FakeFactory(folder)
    factory.score = lambda config, e: score if len(factory.started) == 2 and e == epoch else 0.5
    results = search(folder, trials=4, factory=factory)
    assert results[1].state is state
    assert results[1].score == (0.5 if state is TrialState.PRUNED else None)
    assert f"NonFiniteError: the validation score is not finite after epoch {epoch}" in results[1].error
    assert [r.state for r in results if r.number != 1] == [TrialState.COMPLETE] * 3


def test_a_failure_while_finishing_is_that_trials_failure(folder):
    factory = FakeFactory(folder)

    def start(number, config):
        trial = FakeFactory.start(factory, number, config)
        trial.finishes = int(number == 0)  # its `finish` then raises
        return trial

    factory_with_bad_finish = FakeFactory(folder)
    factory_with_bad_finish.start = start
    results = search(folder, trials=2, factory=factory_with_bad_finish)
    assert (results[0].state, results[0].error) == (TrialState.FAILED, "TrialError: finished twice.")
    assert len(results[0].curve) == 3
    assert results[1].state is TrialState.COMPLETE


def test_three_first_failures_alike_end_the_search_and_say_why(folder):
    factory = FakeFactory(folder, fail=lambda n, e: TrialError(f"no kernel image\nframe {n}"))
    with pytest.raises(SearchError, match="first 3 trials failed alike; found TrialError: no kernel image"):
        search(folder, trials=20, factory=factory)
    assert len(factory.started) == 3
    assert len(folder.results()) == 3


def test_after_three_failures_alike_a_resumed_search_tries_them_again(folder):
    with pytest.raises(SearchError):
        search(folder, trials=20, factory=FakeFactory(folder, fail=lambda n, e: OSError("disk full")))
    factory = FakeFactory(folder)
    results = search(folder, trials=6, factory=factory)
    assert factory.started[:3] == CurveSpace().portfolio()[:3]
    assert [(r.number, r.score is not None) for r in results] == [(n, True) for n in range(6)]
    assert results[0].config == CurveSpace().portfolio()[0], "the baseline is trial 0 again"
    assert folder.results() == results


def test_three_failures_that_differ_do_not_end_the_search(folder):
    factory = FakeFactory(folder, fail=lambda n, e: ValueError(f"odd {n}") if n < 5 else None)
    assert len(search(folder, trials=6, factory=factory)) == 6


def test_time_ends_the_search_within_ten_percent_and_the_last_trial_keeps_its_epochs(folder):
    budget = Budget(3.0)
    budget.keep_back(0.5)
    results = search(
        folder, space=CurveSpace(epochs=50), budget=budget, factory=FakeFactory(folder, step_seconds=0.12)
    )
    assert 2.0 < budget.elapsed() < 2.75
    assert results[-1].state is TrialState.COMPLETE
    assert 1 <= len(results[-1].curve) < 50
    assert all((folder.trial(r.number) / "model.safetensors").exists() for r in results)


def timed(folder, seconds, **options):
    """A search on a clock that only the trials move."""
    clock = FakeClock()
    factory = FakeFactory(folder, sleep=clock.sleep, **options)
    budget = Budget(seconds, clock=clock)
    backend = LocalBackend(factory, clock=clock)
    return factory, budget, backend


def test_a_trial_whose_first_step_cannot_fit_is_not_started(folder):
    factory, budget, backend = timed(folder, 100, step_seconds=10, predict=lambda config: 33.0)
    search(folder, budget=budget, factory=factory, backend=backend)
    assert len(factory.started) == 3  # of 30 s each; then 10 s are left, and 33 are needed for a score
    assert budget.elapsed() == 90


def test_near_the_end_the_cheapest_fitting_candidate_is_preferred(folder):
    def price(config):
        return 10.0 if config.strategy == "fast" else 1000.0

    factory, budget, backend = timed(folder, 55, step_seconds=10, predict=price)
    search(folder, budget=budget, factory=factory, backend=backend)
    assert factory.started[0] == CurveSpace().portfolio()[0]  # the first trial runs whatever it costs
    assert [c.strategy for c in factory.started[1:]] == ["fast"]


def test_the_first_trial_runs_even_if_the_time_is_over(folder):
    factory, budget, backend = timed(folder, 5, step_seconds=10, predict=lambda config: 500.0)
    budget.start -= 60
    results = search(folder, budget=budget, factory=factory, backend=backend)
    assert len(results) == 1
    assert len(results[0].curve) == 1
    assert results[0].score is not None


def test_without_a_time_budget_no_prediction_is_asked_for(folder):
    def price(config):
        raise AssertionError("asked")

    assert len(search(folder, trials=5, factory=FakeFactory(folder, predict=price))) == 5


def test_hopeless_curves_are_pruned_and_keep_their_weights(folder):
    space = CurveSpace(portfolio=8, epochs=6)
    heights = {c.key: 0.9 - 0.1 * i for i, c in enumerate(space.portfolio())}
    factory = FakeFactory(folder, score=lambda c, e: heights[c.key] * (1 - 0.5**e))
    results = search(folder, space=space, trials=8, factory=factory)
    assert [r.state for r in results[:3]] == [TrialState.COMPLETE] * 3
    assert [r.state for r in results[3:]] == [TrialState.PRUNED] * 5
    assert all(len(r.curve) == 2 and r.score is not None for r in results[3:])
    assert (folder.trial(7) / "model.safetensors").exists()


def test_the_listener_hears_every_trial_from_start_to_end(folder):
    events = []
    results = search(folder, trials=2, listener=events.append)
    assert [type(e) for e in events] == [TrialStarted, *[EpochDone] * 3, TrialFinished] * 2
    finished = [e for e in events if isinstance(e, TrialFinished)]
    assert finished[-1].best == max(r.score for r in results)


def test_peak_memory_covers_what_a_step_frees_again(folder):
    def score(config, epoch):
        # Mapped, not allocated: an allocator may have kept freed memory that it would hand out again.
        with mmap.mmap(-1, 200 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
            for _ in range(200):
                held.write(b"x" * (1 << 20))
            time.sleep(0.3)
        return 0.5

    small = search(folder, space=CurveSpace(epochs=1), trials=1)[0].peak_bytes
    big = search(
        RunFolder(folder.path / "big"),
        space=CurveSpace(epochs=1),
        trials=1,
        factory=FakeFactory(folder, score=score),
    )[0].peak_bytes
    assert small > 1 << 20
    assert big - small > 150 << 20


def test_a_hundred_trivial_trials_cost_less_than_50_ms_each(folder):
    begun = time.process_time()  # of this process alone, whatever else the machine is doing
    results = search(folder, space=CurveSpace(epochs=1), trials=100)
    assert len(results) == 100
    assert (time.process_time() - begun) / 100 < 0.05


def test_two_searches_cannot_share_a_run_folder(folder):
    with StudyStorage(folder), pytest.raises(RunError, match="another process"):
        search(folder, trials=1)


class LastOfThree(Fifo):
    """Takes the last of three offers."""

    name = "last_of_three"
    choice = 3

    def choose(self, board):
        assert len(board.offers) <= 3
        return len(board.offers) - 1


def test_a_scheduler_that_chooses_takes_its_pick_of_the_offers(folder):
    space = CurveSpace(portfolio=5)
    entries = space.portfolio()
    results = search(folder, space=space, trials=4, judge=LastOfThree())
    assert [r.config for r in results[:3]] == [entries[2], entries[3], entries[4]]
    assert results[3].config not in entries
    assert len(results) == 4
    again = search(folder, space=space, trials=6, judge=LastOfThree())
    assert len(again) == len({r.config.key for r in again}) == 6


def test_what_leads_the_portfolio_is_tried_before_anything_is_chosen(folder):
    space = CurveSpace(portfolio=5)
    entries = space.portfolio()
    leading = frozenset(entry.key for entry in entries[:2])
    results = search(folder, space=space, trials=3, judge=LastOfThree(), leading=leading)
    assert [r.config for r in results] == [entries[0], entries[1], entries[4]]


def test_a_space_smaller_than_the_choice_is_searched_to_its_end(folder):
    notes = []
    results = search(folder, space=TinySpace(), trials=50, judge=LastOfThree(), listener=notes.append)
    assert sorted(r.config.get("k") for r in results) == [1, 2, 3, 4]
    assert notes.count(Note("the search space is exhausted")) == 1


def test_a_disk_that_knows_no_locks_is_no_other_process(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    folder = RunFolder(tmp_path / "run")
    folder.create()
    with pytest.raises(StorageError, match=r"cannot lock the run folder.*No locks available"):
        StudyStorage(folder)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.trial(3).mkdir(parents=True)
    torn = [folder.path / ".run.json.ab12.tmp", folder.trial(3) / ".checkpoint.safetensors.ab12.tmp"]
    kept = folder.trial(3) / "model.safetensors"
    for path in [*torn, kept]:
        path.write_text("half")
    with StudyStorage(folder):
        assert [path.exists() for path in [*torn, kept]] == [False, False, True]
