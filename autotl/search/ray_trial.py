"""A trial in a Ray worker: the steps of the local backend, what it leaves in the run folder that all share.

A trial writes its own checkpoints there, so that whoever takes it on later, on this node or another, under
Ray or not, goes on from the last one; Ray itself stores nothing of it. Imported only once Ray is installed.
"""

from __future__ import annotations

import math
import platform
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from ray import tune

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import RunError
from autotl.search.backend import Ended, Stepped
from autotl.search.costs import next_step_seconds
from autotl.search.local import LocalBackend
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import Price, Trial, TrialFactory

OURS = "autotl"
SCORE = "score"
EPOCH = "epoch"
#: Work that a checkpoint saves is worth so many times its writing: checkpoints cost at most a twentieth.
_WORTH = 20
FactoryBuilder = Callable[[], TrialFactory]


class _DeferredFactory:
    """Builds the factory inside a trial's boundary, so that a failure to build it is the trial's."""

    def __init__(self, builder: FactoryBuilder, folder: RunFolder) -> None:
        self._builder, self._folder = builder, folder
        self._built: TrialFactory | None = None

    def start(self, number: int, config: TrialConfig) -> Trial:
        return self._factory().start(number, config)

    def resume(self, result: TrialResult) -> Trial:
        return self._factory().resume(result)

    def price(self, config: TrialConfig) -> Price | None:
        return None

    def close(self) -> None:
        if self._built is not None:
            self._built.close()

    def _factory(self) -> TrialFactory:
        if not self._folder.journal.exists():
            raise RunError(
                f"a Ray node cannot see the run folder {self._folder.path}",
                found=f"none on {platform.node()}",
                expected="storage that all nodes share, under one path",
                hint="Choose such a folder with --out.",
            )
        if self._built is None:
            self._built = self._builder()
        return self._built


class RayTrial(tune.Trainable):  # type: ignore[misc]  # Ray is untyped here
    """One trial after the other in a Ray worker; loaded backbones stay for the next one."""

    def setup(self, config: dict[str, Any], builder: FactoryBuilder | None = None) -> None:
        """Take the first trial on.

        Args:
            config: Under "autotl": `number`, `config`, `run_folder` and `deadline` (Unix time or None).
            builder: Gives the factory.
        """
        assert builder is not None
        self._folder = RunFolder(config[OURS]["run_folder"])
        self._factory = _DeferredFactory(builder, self._folder)
        self._local = LocalBackend(self._factory)
        self._take_on(config[OURS])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another trial on, in the same process."""
        self._end()
        self._take_on(new_config[OURS])
        return True

    def step(self) -> dict[str, Any]:
        """One epoch; NaN as the score of a trial that failed. The last one brings the result along.

        Those that a trial begun elsewhere has behind it come first: ASHA compares equal epochs.
        """
        if self._over is not None:
            return self._last()
        if self._earlier:
            return _row(self._earlier.popleft())
        event = self._local.poll()[0]
        if isinstance(event, Ended):
            self._keep(event.result)
            return self._last()
        assert isinstance(event, Stepped)  # nothing here asks for a pause
        self._epochs += 1
        if event.done or self._too_late(event):
            self._finish(TrialState.COMPLETE)
            return self._last() | _row(event.epoch)
        self._checkpoint(event.seconds)
        return _row(event.epoch)

    def cleanup(self) -> None:
        """End the last trial of this worker, and let go of what its trials shared."""
        self._end()
        self._factory.close()

    def _end(self) -> None:
        """Keep what a stopped trial has reached; one without an epoch leaves nothing."""
        if self._over is None and self._epochs:
            self._finish(TrialState.PRUNED)
        elif self._over is None and self._reached is not None:
            self._keep(replace(self._reached, state=TrialState.PRUNED))

    def _take_on(self, given: dict[str, Any]) -> None:
        """Begin a trial, or go on with it where its last worker left off."""
        self._number, self._deadline = given["number"], given["deadline"]
        self._epochs, self._unsaved_seconds, self._write_seconds = 0, 0.0, 0.0
        self._over: TrialResult | None = None
        self._earlier: deque[EpochResult] = deque()
        reached = self._reached = self._folder.result(self._number)
        if reached is None:
            self._local.start(self._number, TrialConfig.from_json(given["config"]))
        elif reached.state is TrialState.PAUSED:
            self._earlier.extend(reached.curve)
            self._local.resume(reached)
        else:  # its worker died after the end, before it could say so
            self._over = reached

    def _checkpoint(self, seconds: float) -> None:
        """Save the trial, once the work since the last time is worth it."""
        self._unsaved_seconds += seconds
        if self._unsaved_seconds < _WORTH * self._write_seconds:
            return
        begun = time.monotonic()
        reached = self._local.checkpoint()
        if reached is not None:
            self._folder.write_result(reached)
        self._write_seconds, self._unsaved_seconds = time.monotonic() - begun, 0.0

    def _too_late(self, event: Stepped) -> bool:
        if self._deadline is None or event.keeps_deadline:
            return False
        return bool(time.time() + next_step_seconds(event.seconds) > self._deadline)

    def _finish(self, state: TrialState) -> None:
        self._local.stop(self._number, state)
        self._keep(cast(Ended, self._local.poll()[0]).result)

    def _keep(self, result: TrialResult) -> None:
        self._over = result
        if self._folder.journal.exists():
            self._folder.write_result(result)

    def _last(self) -> dict[str, Any]:
        """The row that ends a trial; it carries the result, as shared storage may show new files late."""
        assert self._over is not None
        score = math.nan if self._over.score is None else self._over.score
        return {SCORE: score, OURS: self._over.to_json(), "done": True}


def _row(epoch: EpochResult) -> dict[str, Any]:
    return {
        SCORE: epoch.score,
        EPOCH: epoch.epoch,
        "train_loss": epoch.train_loss,
        "epoch_seconds": epoch.seconds,
    }
