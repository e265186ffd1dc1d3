"""The study on disk: an Optuna journal in the run folder, which any Optuna tool can open.

Every trial that ran is in it, under the number that the run folder uses, with its configuration
(user attribute `config`) and its result (`result`). One process at a time owns it. What a killed process
left (a torn last line, a stale lock, trials under way) is put right when the next one opens it.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import RunError, StorageError
from autotl.search.journal import Journal
from autotl.search.proposals import Proposal
from autotl.trial.run_folder import RunFolder

_log = logging.getLogger(__name__)
STUDY_NAME = "autotl"
INTERRUPTED = "interrupted"
#: How often a trial that was broken off is tried again.
RETRIES = 2
_STATES = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
}


@dataclass(frozen=True)
class Recovered:
    """What an earlier process left: finished and paused trials by number, and configurations to try again."""

    results: tuple[TrialResult, ...] = ()
    paused: tuple[TrialResult, ...] = ()
    retry: tuple[TrialConfig, ...] = ()


class StudyStorage:
    """The journal of a run, open for writing.

    Raises:
        RunError: Another process is searching in this run folder.
        StorageError: The journal cannot be opened.
    """

    def __init__(self, run_folder: RunFolder) -> None:
        self._folder = run_folder
        run_folder.create()
        self._owner = _own(run_folder)
        for torn in (*run_folder.path.glob(".*.tmp"), *run_folder.path.glob("trials/*/.*.tmp")):
            torn.unlink(missing_ok=True)  # of a process that was killed while it wrote
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._file = Journal(run_folder.journal)
        self._journal = optuna.storages.JournalStorage(self._file)
        self.study = self._load()
        self._open: dict[int, optuna.trial.Trial] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others own the journal."""
        self._owner.close()

    def trials(self) -> list[FrozenTrial]:
        """All trials of the study by number, read-only."""
        return self.study.get_trials(deepcopy=False)

    def recover(self) -> Recovered:
        """Put right what an earlier process left.

        Results on disk that the journal lacks are told to it. Trials under way are told to have failed,
        and their configuration is given back to be tried again, unless it was broken off more than twice.
        Paused trials stay so. Where no trial has a score, the study begins anew, so that trial 0 stays the
        baseline; those that failed are tried again.
        """
        on_disk = {r.number: r for r in self._folder.results()}
        finished = {number: r for number, r in on_disk.items() if r.state is not TrialState.PAUSED}
        paused: list[TrialResult] = []
        for number in range(len(self.trials()), max(finished, default=-1) + 1):
            self._add_lost(number, finished.get(number))
        for frozen in self.trials():
            if not frozen.state.is_finished():
                self._revive(frozen)
                if frozen.number in finished:
                    self._tell(finished[frozen.number])
                elif frozen.number in on_disk:
                    paused.append(on_disk[frozen.number])
                else:
                    self.interrupt(frozen.number)
            elif frozen.number not in finished and "result" in frozen.user_attrs:
                finished[frozen.number] = TrialResult.from_json(frozen.user_attrs["result"])
        results = [finished[number] for number in sorted(finished)]
        retry = self._to_retry({r.config.key for r in (*results, *paused)})
        if results and not paused and all(result.score is None for result in results):
            for failed in results:
                self._folder.forget(failed.number)
            retry = (*(failed.config for failed in results), *retry)
            results = []
        if not results and not paused and self.trials():
            optuna.delete_study(study_name=STUDY_NAME, storage=self._journal)
            self.study = self._load()
        return Recovered(tuple(results), tuple(paused), retry)

    def begin(self, proposal: Proposal) -> int:
        """Record that a trial starts; gives its number."""
        self.study.add_trial(
            optuna.trial.create_trial(
                state=OptunaState.RUNNING,
                params=dict(proposal.params),
                distributions=dict(proposal.distributions),
                user_attrs=_asked(proposal),
            )
        )
        frozen = self.trials()[-1]
        self._revive(frozen)
        return frozen.number

    def report(self, number: int, epoch: EpochResult) -> None:
        """Record an epoch of a trial under way."""
        self._open[number].report(epoch.score, epoch.epoch)

    def pause(self, result: TrialResult) -> None:
        """Record what a paused trial has reached; for the journal it is still under way."""
        self._folder.write_result(result)

    def finish(self, result: TrialResult) -> None:
        """Record a finished trial: its result file first, so that a kill between the two loses nothing."""
        self._folder.write_result(result)
        self._folder.checkpoint(result.number).unlink(missing_ok=True)
        self._tell(result)
        self._file.flush()

    def interrupt(self, number: int) -> None:
        """Record that a trial was broken off before it had anything to keep."""
        trial = self._open.pop(number)
        trial.set_user_attr("error", INTERRUPTED)
        self.study.tell(trial, state=OptunaState.FAIL)

    def _load(self) -> optuna.Study:
        return optuna.create_study(
            study_name=STUDY_NAME, storage=self._journal, direction="maximize", load_if_exists=True
        )

    def _tell(self, result: TrialResult) -> None:
        trial = self._open.pop(result.number)
        trial.set_user_attr("result", result.to_json())
        known = self.trials()[result.number].intermediate_values
        for epoch in result.curve:
            if epoch.epoch not in known:
                trial.report(epoch.score, epoch.epoch)
        state = _STATES[result.state]
        value = result.score if state is OptunaState.COMPLETE else None
        self.study.tell(trial, value, state=state)

    def _revive(self, frozen: FrozenTrial) -> None:
        self._open[frozen.number] = optuna.trial.Trial(self.study, frozen._trial_id)

    def _add_lost(self, number: int, result: TrialResult | None) -> None:
        if result is None:
            self.study.add_trial(
                optuna.trial.create_trial(state=OptunaState.FAIL, user_attrs={"error": INTERRUPTED})
            )
        else:
            self.study.add_trial(_whole(Proposal(result.config, "recovered"), result))

    def _to_retry(self, done: set[str]) -> tuple[TrialConfig, ...]:
        broken = [
            TrialConfig.from_json(t.user_attrs["config"])
            for t in self.trials()
            if t.user_attrs.get("error") == INTERRUPTED and "config" in t.user_attrs
        ]
        counts = Counter(config.key for config in broken)
        unique = {config.key: config for config in broken if config.key not in done}
        for key, config in unique.items():
            if counts[key] > RETRIES:
                _log.warning("not tried again, as it was interrupted %d times: %s", counts[key], config)
        return tuple(config for key, config in unique.items() if counts[key] <= RETRIES)


def _whole(proposal: Proposal, result: TrialResult) -> FrozenTrial:
    """A trial from beginning to end, as the journal holds it."""
    state = _STATES[result.state]
    return optuna.trial.create_trial(
        state=state,
        value=result.score if state is OptunaState.COMPLETE else None,
        params=dict(proposal.params),
        distributions=dict(proposal.distributions),
        intermediate_values={epoch.epoch: epoch.score for epoch in result.curve},
        user_attrs={**_asked(proposal), "result": result.to_json()},
    )


def _asked(proposal: Proposal) -> dict[str, Any]:
    return {"config": proposal.config.to_json(), "source": proposal.source}


def _own(folder: RunFolder) -> IO[str]:
    """Hold the run folder for this process; the kernel lets go when the process ends, however it ends."""
    path = folder.path / ".owner"
    try:
        handle = path.open("a")
    except OSError as error:
        raise StorageError("cannot open the study", found=f"{path} ({error.strerror})") from error
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StorageError(
                    "cannot lock the run folder, so that no second search writes there",
                    found=f"{path} ({error.strerror})",
                    hint="Choose a disk that knows locks (flock) with --out.",
                ) from error
            raise RunError(
                "another process is searching in this run folder",
                found=str(folder.path),
                hint="Wait for it to end, or choose another folder with --out.",
            ) from error
    return handle
