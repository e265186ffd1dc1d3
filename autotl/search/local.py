"""The default backend: in this process, one trial at a time, a few milliseconds of overhead a trial."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeVar

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import NonFiniteError
from autotl.search.backend import BackendEvent, Ended, Paused, Stepped
from autotl.search.memory import PeakMemory
from autotl.trial.trial import Trial, TrialFactory

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class _Running:
    number: int
    config: TrialConfig
    started: float
    memory: PeakMemory
    trial: Trial | None = None
    curve: list[EpochResult] = field(default_factory=list)
    ending: tuple[TrialState, str | None] | None = None
    pausing: bool = False
    resumed: TrialResult | None = None

    @property
    def after_failure(self) -> TrialState:
        """How it ends where a step fails: what it reached before counts."""
        return TrialState.PRUNED if self.curve else TrialState.FAILED


class LocalBackend:
    """Runs trials in this process.

    Args:
        factory: Starts the trials.
        interruptible: Entered around the long calls (start of a trial, an epoch), where Ctrl-C may strike.
        clock: A monotonic clock in seconds.
    """

    slots = 1

    def __init__(
        self,
        factory: TrialFactory,
        *,
        interruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._factory, self._interruptible, self._clock = factory, interruptible, clock
        self._running: _Running | None = None

    def now(self) -> float:
        """Seconds on the clock of this backend."""
        return self._clock()

    def start(self, number: int, config: TrialConfig) -> None:
        """Take a trial on; the next `poll` loads it and runs its first epoch."""
        self._running = _Running(number, config, self.now(), PeakMemory())

    def resume(self, result: TrialResult) -> None:
        """Take a paused trial on; the next `poll` loads it and runs its next epoch."""
        self._running = _Running(
            result.number,
            result.config,
            self.now() - result.seconds,
            PeakMemory(),
            curve=list(result.curve),
            resumed=result,
        )

    def pause(self, number: int) -> None:
        """Put the trial to disk at the next `poll`."""
        if self._running is not None and self._running.number == number:
            self._running.pausing = True

    def checkpoint(self) -> TrialResult | None:
        """Put what the trial under way has reached to disk, and go on; None where that failed.

        A trial that cannot be saved may still end well, so that a failure here is logged only.
        """
        run = self._running
        assert run is not None
        assert run.trial is not None
        error, result = guarded(run.trial.pause)
        if error:
            _log.warning("trial %d could not be saved on its way: %s", run.number, error)
        return result

    def stop(self, number: int, state: TrialState, error: str | None = None) -> None:
        """End the trial at the next `poll`."""
        if self._running is not None and self._running.number == number:
            self._running.ending = (state, error)

    def poll(self) -> Sequence[BackendEvent]:
        """Run one epoch of the trial under way, or pause or end it; nothing where there is none."""
        run = self._running
        if run is None:
            return ()
        if run.ending is None and run.pausing:
            error, paused = guarded(lambda: self._pause(run))
            if paused is not None:
                return (paused,)
            run.ending = (run.after_failure, error)
        elif run.ending is None:
            error, stepped = guarded(lambda: self._step(run))
            if stepped is not None:
                if stepped.done:
                    run.ending = (TrialState.COMPLETE, None)
                return (stepped,)
            run.ending = (run.after_failure, error)
            gc.collect()  # what the failed step still held, before anything else asks for memory
        return (Ended(self._end(run, *run.ending)),)

    def _step(self, run: _Running) -> Stepped:
        begun = self.now()
        with self._interruptible():
            if run.trial is None:
                run.trial = self._load(run)
            epoch = run.trial.step()
        if not math.isfinite(epoch.score):
            raise NonFiniteError(
                f"the validation score is not finite after epoch {epoch.epoch}", found=epoch.score
            )
        if math.isinf(epoch.train_loss):
            raise NonFiniteError(f"the training loss is infinite in epoch {epoch.epoch}")
        run.curve.append(epoch)
        run.memory.sample()
        return Stepped(run.number, epoch, self.now() - begun, run.trial.done, run.trial.keeps_deadline)

    def _load(self, run: _Running) -> Trial:
        if run.resumed is None:
            return self._factory.start(run.number, run.config)
        return self._factory.resume(run.resumed)

    def _pause(self, run: _Running) -> Paused:
        assert run.trial is not None
        result = run.trial.pause()
        run.trial, self._running = None, None
        return Paused(replace(result, peak_bytes=max(result.peak_bytes, run.memory.stop())))

    def _end(self, run: _Running, state: TrialState, error: str | None) -> TrialResult:
        trial, self._running = run.trial, None
        result: TrialResult | None = None
        if trial is not None:
            failure, result = guarded(lambda: trial.finish(state, error))
            error = error or failure
        if result is None:
            result = _left_by(run.resumed, error) or TrialResult(
                run.number,
                run.config,
                TrialState.FAILED,
                curve=tuple(run.curve),
                seconds=self.now() - run.started,
                error=error or "ended before its first epoch",
            )
        run.trial = None
        if result.error is not None:
            gc.collect()
        return replace(result, peak_bytes=max(result.peak_bytes, run.memory.stop()))


def _left_by(paused: TrialResult | None, error: str | None) -> TrialResult | None:
    """What a paused trial that cannot go on has left: its best weights are on disk, and count."""
    return None if paused is None else replace(paused, state=TrialState.PRUNED, error=error)


def guarded(action: Callable[[], T]) -> tuple[str | None, T | None]:
    """The boundary of a trial: `(None, value)`, or `(message, None)` where the action raised."""
    try:
        return None, action()
    except Exception as error:  # whatever a trial raises is that trial's failure; the search goes on
        _log.debug("a trial failed", exc_info=True)
        return describe_error(error), None


def describe_error(error: BaseException) -> str:
    """The type and message of an error, the type first, as `TrialResult.error` holds it."""
    message = str(error).strip()
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
