"""Trials that wait on disk: nothing is lost, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from search_fakes import CurveSpace, FakeFactory

from autotl.backbones.backbone import BackboneInfo
from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.search.board import Board, Standing
from autotl.search.budget import Budget
from autotl.search.events import Note
from autotl.search.local import LocalBackend
from autotl.search.loop import run_search
from autotl.search.proposals import Proposal
from autotl.search.schedulers.scheduler import Verdict
from autotl.search.storage import StudyStorage
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


class TakingTurns:
    """Pauses after every epoch; whoever has the fewest epochs goes on, once enough are open."""

    name = "turns"

    def __init__(self, width: int = 3) -> None:
        self._width = width

    def judge(self, trial: Standing, board: Board) -> Verdict:
        return Verdict.PAUSE

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        if not board.paused or (fresh and len(board.open) < self._width):
            return None
        return min(board.paused, key=lambda trial: (len(trial.curve), trial.number)).number

    def enough(self, board: Board) -> str | None:
        return None


def search(folder, factory, trials=6, judge=None, **options):
    return run_search(
        CurveSpace(portfolio=3, epochs=4),
        factory,
        folder,
        budget=Budget(trials=trials),
        judge=judge,
        **options,
    )


def test_taking_turns_gives_the_same_results_as_one_after_the_other(tmp_path):
    straight, turns = (RunFolder(tmp_path / name) for name in ("straight", "turns"))
    expected = search(straight, FakeFactory(straight), trials=3)
    factory = FakeFactory(turns)
    found = search(turns, factory, trials=3, judge=TakingTurns())
    assert [(r.config, r.curve, r.state) for r in found] == [(r.config, r.curve, r.state) for r in expected]
    assert len(factory.resumed) == 9
    assert factory.resumed[:3] == [0, 1, 2]


def test_an_ended_trial_leaves_no_checkpoint_once_its_result_is_written(tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = CurveSpace().portfolio()[0]
    with StudyStorage(folder) as storage:
        number = storage.begin(Proposal(config, "portfolio"))
        folder.trial(number).mkdir(parents=True)
        folder.checkpoint(number).write_bytes(b"weights and moments")
        storage.finish(TrialResult(number, config, TrialState.PRUNED, 0.5))
        assert not folder.checkpoint(number).exists()
        assert folder.result(number).score == 0.5


def test_a_paused_trial_that_cannot_be_loaded_again_keeps_what_it_reached(tmp_path):
    folder = RunFolder(tmp_path / "run")
    factory = FakeFactory(folder)
    backend = LocalBackend(factory)
    backend.start(0, CurveSpace(epochs=4).portfolio()[0])
    backend.poll()
    backend.pause(0)
    (paused,) = backend.poll()
    factory.fail = lambda number, epoch: OSError("the disk is gone")
    backend.resume(paused.result)
    (ended,) = backend.poll()
    assert ended.result.state is TrialState.PRUNED
    assert ended.result.score == paused.result.score
    assert ended.result.error == "OSError: the disk is gone"


def test_what_still_waits_at_the_end_counts_with_what_it_reached(tmp_path):
    folder = RunFolder(tmp_path / "run")
    clock = iter(range(1000))
    found = run_search(
        CurveSpace(portfolio=3, epochs=400),
        FakeFactory(folder),
        folder,
        budget=Budget(100.0, 3, start=0.0, clock=lambda: float(next(clock))),
        judge=TakingTurns(),
    )
    assert [r.state for r in found] == [TrialState.PRUNED] * 3
    assert all(r.score is not None and 1 < len(r.curve) < 400 for r in found)
    assert folder.results() == found


def test_a_kill_loses_no_paused_trial(tmp_path):
    folder = RunFolder(tmp_path / "run")
    factory = FakeFactory(
        folder, fail=lambda number, epoch: SystemExit() if (number, epoch) == (1, 3) else None
    )
    with pytest.raises(SystemExit):
        search(folder, factory, trials=3, judge=TakingTurns())
    waiting = [r for r in folder.results() if r.state is TrialState.PAUSED]
    assert [(r.number, len(r.curve)) for r in waiting] == [(0, 3), (1, 2), (2, 2)]
    events = []
    again = FakeFactory(folder, checkpoints={**factory.checkpoints, 1: list(waiting[1].curve)})
    found = search(folder, again, trials=3, judge=TakingTurns(), listener=events.append)
    assert [len(r.curve) for r in found] == [4, 4, 4]
    assert again.started == []
    assert sorted(again.resumed) == [0, 1, 1, 2, 2]
    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes == ["continuing: 0 trials finished, 0 to try again, 3 paused"]


def test_a_trial_that_cannot_be_put_aside_ends_with_what_it_has_and_the_search_goes_on(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    factory = FakeFactory(folder)
    make = factory._trial

    def breaking(number, config, curve):
        trial = make(number, config, curve)
        if number == 1:
            monkeypatch.setattr(trial, "pause", lambda: (_ for _ in ()).throw(OSError("disk full")))
        return trial

    monkeypatch.setattr(factory, "_trial", breaking)
    found = search(folder, factory, trials=3, judge=TakingTurns())
    assert [r.state for r in found] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    assert (found[1].error, found[1].best_epoch) == ("OSError: disk full", 1)


def test_an_interrupt_ends_paused_trials_with_what_they_have(tmp_path):
    folder = RunFolder(tmp_path / "run")
    factory = FakeFactory(
        folder, fail=lambda number, epoch: KeyboardInterrupt() if (number, epoch) == (2, 2) else None
    )
    found = search(folder, factory, trials=3, judge=TakingTurns())
    assert [len(r.curve) for r in found] == [2, 2, 1]
    assert {r.state for r in found} == {TrialState.PRUNED}


# --- on a real training ---------------------------------------------------------------------------------


@pytest.fixture
def runner(tmp_path, monkeypatch):
    info = replace(tiny_image_backbone().info, name="tiny")
    assert isinstance(info, BackboneInfo)
    monkeypatch.setattr(benches, "load", lambda info, **_: tiny_image_backbone())
    dataset = tiny_dataset("image")
    from autotl.data.splits import split
    from autotl.modalities.registry import modality

    resources = Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache")
    described = modality("image").describe(list(dataset.items))
    plan = RunnerPlan(
        dataset, split(dataset, seed=0), {"tiny": info}, described, RunFolder(tmp_path / "run"), resources
    )
    return TrialRunner(plan)


def test_a_paused_training_goes_on_as_if_it_had_never_stopped(runner):
    config = TrialConfig(
        "tiny", "top_k", {"cut": 0.5, "epochs": 3, "batch_size": 8, "augment": "none", "learning_rate": 1e-2}
    )
    straight = runner.start(0, config)
    while not straight.done:
        straight.step()
    whole = straight.finish(TrialState.COMPLETE)
    backend = LocalBackend(runner)
    backend.start(1, config)
    for _ in range(2):
        backend.poll()
        backend.pause(1)
        (paused,) = backend.poll()
        assert paused.result.state is TrialState.PAUSED
        assert (runner.folder.trial(1) / "checkpoint.safetensors").is_file()
        backend.resume(paused.result)
    backend.poll()
    (ended,) = backend.poll()
    scores = [(e.epoch, e.score, e.train_loss) for e in ended.result.curve]
    assert scores == [(e.epoch, e.score, e.train_loss) for e in whole.curve]
    assert ended.result.seconds > paused.result.seconds
    model = runner.restore(ended.result).model()
    assert torch.equal(model.head.weight, runner.restore(whole).model().head.weight)


def test_a_checkpoint_on_the_way_changes_nothing_and_holds_what_was_reached(runner):
    config = TrialConfig(
        "tiny", "top_k", {"cut": 0.5, "epochs": 3, "batch_size": 8, "augment": "none", "learning_rate": 1e-2}
    )
    backend = LocalBackend(runner)
    backend.start(0, config)
    backend.poll()
    older = backend.checkpoint()
    backend.poll()
    newer = backend.checkpoint()
    backend.poll()
    (whole,) = backend.poll()
    assert (len(older.curve), len(newer.curve), len(whole.result.curve)) == (1, 2, 3)
    assert older.state is newer.state is TrialState.PAUSED
    backend.start(1, config)
    backend.poll()
    backend.poll()
    backend.checkpoint()
    ended = runner.resume(replace(older, number=1))  # its file was written before the checkpoint was
    ended.step()
    assert ended.done
    result = ended.finish(TrialState.COMPLETE)
    assert [(e.epoch, e.score, e.train_loss) for e in result.curve] == [
        (e.epoch, e.score, e.train_loss) for e in whole.result.curve
    ]


def test_a_training_that_diverges_leaves_its_best_weights(runner):
    config = TrialConfig(
        "tiny", "top_k", {"cut": 0.5, "epochs": 3, "batch_size": 8, "augment": "none", "learning_rate": 1e-2}
    )
    backend = LocalBackend(runner)
    backend.start(0, config)
    (stepped,) = backend.poll()
    with torch.no_grad():
        backend._running.trial._run._model.head.weight.fill_(float("nan"))
    (ended,) = backend.poll()
    assert ended.result.error.startswith(
        "NonFiniteError: the training loss is not finite; found nan in epoch 2"
    )
    assert (ended.result.state, ended.result.best_epoch) == (TrialState.PRUNED, 1)
    assert ended.result.score == stepped.epoch.score
    assert runner.restore(ended.result).model().head.weight.isfinite().all()
    assert (runner.folder.trial(0) / "validation.npy").is_file()


def test_a_checkpoint_that_fails_is_logged_and_the_trial_goes_on(tmp_path, monkeypatch, caplog):
    folder = RunFolder(tmp_path / "run")
    factory = FakeFactory(folder)
    backend = LocalBackend(factory)
    backend.start(0, TrialConfig("net", "slow", {"epochs": 2}))
    backend.poll()
    monkeypatch.setattr(factory.trials[0], "pause", lambda: (_ for _ in ()).throw(OSError("disk full")))
    assert backend.checkpoint() is None
    assert "trial 0 could not be saved on its way: OSError: disk full" in caplog.text
    backend.poll()
    (ended,) = backend.poll()
    assert ended.result.state is TrialState.COMPLETE
