"""Runs trials on a data set, and stores what a trial leaves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.backbones import measure
from autotl.backbones.backbone import Batch
from autotl.backbones.weights import read_notes, read_weights, write_weights
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.data.dataset import Splits
from autotl.errors import RunError, TrialError
from autotl.features.frozen import FrozenPart
from autotl.strategies.registry import strategy
from autotl.strategies.strategy import Run
from autotl.training.model import TransferModel
from autotl.training.workbench import Workbench
from autotl.trial.benches import Benches, Report
from autotl.trial.pace import Pace
from autotl.trial.plan import RunnerPlan
from autotl.trial.trial import Price

Array = NDArray[Any]
_PREDICTION_BATCH = 16
_TEACHER = "teacher.npz"


class TransferTrial:
    """One configuration under way; see `autotl.trial.trial.Trial`."""

    def __init__(
        self,
        number: int,
        config: TrialConfig,
        runner: TrialRunner,
        earlier: TrialResult | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> None:
        self.number, self.config = number, config
        self._runner = runner
        self._start = time.perf_counter() - (0.0 if earlier is None else earlier.seconds)
        self._curve: list[EpochResult] = [] if earlier is None else list(earlier.curve)
        self._run: Run = strategy(config.strategy).start(runner.bench(config), config, state)

    @property
    def done(self) -> bool:
        """Whether the strategy has nothing left to do."""
        return self._run.done

    @property
    def keeps_deadline(self) -> bool:
        """Strategies end a step when the workbench's deadline has passed."""
        return True

    def step(self) -> EpochResult:
        """One epoch; what is not finite does not count."""
        epoch = self._run.step()
        if math.isfinite(epoch.score):
            self._curve.append(epoch)
        return epoch

    def pause(self) -> TrialResult:
        """Write what `finish` writes, then the state to go on from, and with it what was reached."""
        result = self.finish(TrialState.PAUSED)
        self._runner.save_checkpoint(result, self._run)
        return result

    def finish(self, state: TrialState, error: str | None = None) -> TrialResult:
        """Write weights and validation outputs, then the result."""
        info = self._runner.infos[self.config.backbone]
        result = TrialResult(
            number=self.number,
            config=self.config,
            state=state,
            curve=tuple(self._curve),
            seconds=time.perf_counter() - self._start,
            error=error,
            facts={"macs": info.macs_at(self.config.get("input_size")), "licence": info.licence},
        )
        if self._curve and state is not TrialState.FAILED:
            best = max(range(len(self._curve)), key=lambda i: self._curve[i].score)
            result = replace(result, score=self._curve[best].score, best_epoch=best + 1)
            refit, share = self._run.refit_config().to_json(), self._run.refit_share
            parameters = measure.parameters(self._runner.bench(self.config).backbone, self._run.depth)
            result = result.with_facts(parameters=parameters, refit=refit, refit_share=share)
            self._runner.save(self.number, self._run)
            self._runner.pace.learn(result)
        return result


class TrialRunner:
    """Starts trials; see `autotl.trial.trial.TrialFactory`.

    Args:
        plan: Data, backbones, folder and resources.
        deadline: Gives the time (`time.monotonic`) by which training must end.
        report: Called with (rows done, rows to do) while features are computed.

    Attributes:
        frozen_part: What computes and keeps features.
        benches: The workbenches of its trials.
        pace: What trials are expected to take.
    """

    frozen_part: ClassVar[type[FrozenPart]] = FrozenPart

    def __init__(
        self,
        plan: RunnerPlan,
        *,
        deadline: Callable[[], float] = lambda: math.inf,
        report: Report | None = None,
    ) -> None:
        self.plan = plan
        self.dataset, self.splits, self.infos, self.folder = (
            plan.dataset,
            plan.splits,
            plan.infos,
            plan.folder,
        )
        self._device = plan.resources.device
        self._deadline = deadline
        self._teacher: Array | None = None
        self.benches = Benches(plan, frozen_part=self.frozen_part, report=report)
        self.pace = Pace(plan, self.benches)

    def start(self, number: int, config: TrialConfig) -> TransferTrial:
        """Prepare a trial.

        Raises:
            TrialError: The backbone is not among those that may be used.
        """
        self._check(config)
        return TransferTrial(number, config, self)

    def resume(self, result: TrialResult) -> TransferTrial:
        """Go on with a paused trial.

        Raises:
            RunError: Its checkpoint is not there.
            TrialError: The backbone is not among those that may be used.
        """
        self._check(result.config)
        path = self.folder.checkpoint(result.number)
        if not path.is_file():
            raise RunError(f"trial {result.number} left nothing to go on from", found=f"no {path}")
        # Its own record counts: `result` may be older.
        reached = TrialResult.from_json(json.loads(read_notes(path)["result"]))
        return TransferTrial(result.number, result.config, self, reached, read_weights(path))

    def _check(self, config: TrialConfig) -> None:
        if config.backbone not in self.infos:
            raise TrialError(
                "a backbone takes no part in this run", found=config.backbone, expected=", ".join(self.infos)
            )

    def bench(self, config: TrialConfig) -> Workbench:
        """The workbench of a configuration; training on it ends by the present deadline."""
        return replace(self.benches.of(config), deadline=self._deadline(), teacher=self._taught())

    def close(self) -> None:
        """Let go of cached features: later runs find them, as far as the limit of the store allows."""
        self.benches.clear()

    def price(self, config: TrialConfig) -> Price | None:
        """Predicted seconds until a first score, and of the whole trial; None before any rate is known."""
        return self.pace.price(config)

    def teach(self, model: TransferModel) -> None:
        """Let trials learn from what a model says of the training and validation rows; it is kept on disk."""
        rows = self.splits.train_and_val
        outputs = self.predict(model, rows)
        self._teacher = np.zeros((len(self.dataset), *outputs.shape[1:]), np.float32)
        self._teacher[rows] = outputs
        self.folder.write_arrays(_TEACHER, outputs=self._teacher)

    def _taught(self) -> Array | None:
        """What a teacher said, in this run or before it was opened again."""
        path = self.folder.path / _TEACHER
        if self._teacher is None and path.is_file():
            with np.load(path, allow_pickle=False) as saved:
                self._teacher = saved["outputs"]
        return self._teacher

    # --- disk ----------------------------------------------------------------------------------------------

    def save(self, number: int, run: Run) -> None:
        """Write the weights and validation outputs of a run."""
        folder = self.folder.trial(number)
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / "model.safetensors", run.state(resumable=False))
        self.folder.write_outputs(number, run.validation_outputs().numpy())

    def save_checkpoint(self, reached: TrialResult, run: Run) -> None:
        """Write all that a run needs to go on, with the result up to there in the same file."""
        path = self.folder.checkpoint(reached.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_weights(path, run.state(), {"result": json.dumps(reached.to_json())})

    def restore(self, result: TrialResult) -> Run:
        """The finished run of a result, from disk.

        Raises:
            RunError: Its weights are not there.
        """
        path = self.folder.trial(result.number) / "model.safetensors"
        if not path.is_file():
            raise RunError(
                f"trial {result.number} left no weights",
                found=f"no {path}",
                hint=f"Export another: autotl leaderboard {self.folder.path}",
            )
        return strategy(result.config.strategy).start(
            self.bench(result.config), result.config, read_weights(path)
        )

    def quick_fit(self, config: TrialConfig, splits: Splits) -> TransferModel:
        """A model of one step on some of the rows, recorded nowhere."""
        run = strategy(config.strategy).start(replace(self.bench(config), splits=splits), config)
        run.step()
        return run.model()

    def control(self, config: TrialConfig, deadline: float) -> tuple[TrialResult, TransferModel]:
        """Train a control beside the search; gives its result, numbered -1, and its model."""
        bench = replace(self.bench(config), deadline=deadline)
        start = time.perf_counter()
        run = strategy(config.strategy).start(bench, config)
        curve = []
        while not run.done:
            curve.append(run.step())
        best = max(range(len(curve)), key=lambda i: curve[i].score)
        result = TrialResult(
            number=-1,
            config=config,
            state=TrialState.COMPLETE,
            score=curve[best].score,
            curve=tuple(curve),
            seconds=time.perf_counter() - start,
            best_epoch=best + 1,
        )
        return result, run.model()

    def predict(self, model: TransferModel, rows: Array) -> Array:
        """Probabilities (n, K) or values (n,) of a model on rows, in torch."""
        inputs = self.benches.inputs_of(model)
        outputs: list[tuple[Array, Array]] = []
        model = model.eval().to(self._device)

        def visit(chunk: Array, batch: Batch) -> None:
            with torch.inference_mode():
                moved = {name: value.to(self._device) for name, value in batch.items()}
                outputs.append((chunk, model.predict(moved).float().cpu().numpy()))

        inputs.batches(inputs.by_length(rows), _PREDICTION_BATCH, visit)
        order = np.argsort(np.concatenate([chunk for chunk, _ in outputs]), kind="stable")
        back = np.argsort(np.argsort(rows, kind="stable"), kind="stable")
        return np.concatenate([values for _, values in outputs])[order][back]

    def refit_seconds(self, result: TrialResult) -> float:
        """Predicted seconds of `refit`, with those of features that are no longer there."""
        share = len(self.splits.train_and_val) / max(1, len(self.splits.train))
        fit = float(share * result.facts["refit_share"] * sum(epoch.seconds for epoch in result.curve))
        if not result.config.fits_in_one_step:
            return fit
        return fit + (self.pace.pass_seconds(result.config, self.splits.train_and_val) or 0.0)

    def refit(self, result: TrialResult, deadline: float = math.inf) -> TransferModel:
        """Train the configuration of a result again, on training and validation rows together."""
        config = TrialConfig.from_json(result.facts["refit"])
        run = strategy(config.strategy).start(self.bench(config).with_all_rows(deadline), config)
        while not run.done:
            run.step()
        return run.model()
