"""`FineTuneRun`: gradient training of a head and the later blocks, from cached activations at the cut.

Knows nothing of strategies beyond their `Plan`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autotl.backbones.backbone import Batch
from autotl.config import EpochResult, TrialConfig
from autotl.errors import NonFiniteError
from autotl.features.frozen import PLAIN, View
from autotl.features.memory import RowsAtOnce, parts
from autotl.task import TaskKind
from autotl.training.average import WeightAverage
from autotl.training.batches import batches_of
from autotl.training.heads import best_head, fit_head
from autotl.training.loss import mean_loss
from autotl.training.mixup import mix
from autotl.training.model import TransferModel
from autotl.training.optimizer import Optimizer
from autotl.training.plan import Plan, Settings, head_depths
from autotl.training.precision import MixedPrecision, training_dtype
from autotl.training.schedule import Schedule
from autotl.training.trained import TrainedWeights, starting_backbone
from autotl.training.tuned import TunedFeatures
from autotl.training.workbench import Workbench

Array = NDArray[Any]
#: Share of a training step that its forward pass takes, until evaluation was measured.
_FORWARD_SHARE = 0.4


class FineTuneRun:
    """A gradient training that can pause after each epoch.

    Args:
        bench: Data set and backbone.
        config: The trial's configuration.
        plan: What trains, and when.
        state: What `state` gave, to go on from there.
    """

    def __init__(
        self, bench: Workbench, config: TrialConfig, plan: Plan, state: dict[str, Tensor] | None = None
    ) -> None:
        self._bench, self._plan = bench, plan
        self._config, self._settings = config, Settings.of(config)
        torch.manual_seed(bench.seed)
        self._backbone = starting_backbone(bench, plan)
        depths = head_depths(str(config.get("depths", "last")), plan.cut, self._backbone.depth)
        head: nn.Module = nn.Linear(sum(map(self._backbone.feature_dim, depths)), bench.task.outputs)
        self._cut = plan.cut if self._keeps_activations(plan.cut) else 0
        self._head_penalty: float | None = None
        if plan.warm_head and state is None:
            penalty = config.get("head_penalty")
            fitted = best_head(bench, self._head_kind, depths, penalty=penalty, capture=(self._cut,))[0]
            self._head_penalty, head = fitted.penalty, fitted.module()
        model = bench.model(self._backbone, head, depths).to(bench.device)
        # Convolutions train 1.4 to 1.8 times as fast channels last (EfficientNet-Lite, two cores).
        self._model = model.to(memory_format=torch.channels_last)
        self._features = TunedFeatures(bench, self._model, self._cut)
        self._weights = TrainedWeights(self._model, plan, train_batch_norm=self._settings.train_batch_norm)
        self._precision = MixedPrecision(bench.device, training_dtype(bench.device, self._model))
        self._optimizer = Optimizer(self._weights, plan, self._settings, self._precision.scaler)
        share = self._settings.ema
        self._average = WeightAverage(self._weights.tensors(), share) if share else None
        # A last batch of one row joins the batch before it.
        self._training_rows = RowsAtOnce(self._settings.batch_size + 1)
        self._batches = batches_of(len(bench.splits.train), self._settings.batch_size)
        self._epoch, self._progress = 0, 0.0
        self._evaluation_seconds: float | None = None
        self._best_score, self._best_epoch = -float("inf"), 0
        self._best_weights: dict[str, Tensor] = {}
        self._best_raw = torch.zeros(0, bench.task.outputs)
        if state is not None:
            self._restore(state)
        self._schedule = self._new_schedule()
        self._class_weights = bench.class_weights(self._settings.class_weight)

    # --- the protocol ------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether all epochs are over, or the time."""
        over = self._epoch >= min(self._settings.epochs, self._settings.stop_epoch)
        return over or (self._epoch > 0 and self._schedule.out_of_time)

    def step(self) -> EpochResult:
        """Train one epoch, or until the deadline, and score the validation rows."""
        start = time.perf_counter()
        if self._epoch == 0:
            self._schedule = self._new_schedule()
        loss = self._train_epoch()
        trained, epoch = time.perf_counter(), self._epoch + 1
        with nullcontext() if self._average is None else self._average.applied():
            held_out = self._features(self._bench.splits.val)
            penalty = self._fit_head(held_out) if self._plan.objective.fits_head else self._head_penalty
            raw = self._raw(held_out)
            self._evaluation_seconds = time.perf_counter() - trained
            score = self._bench.score(raw)
            if score > self._best_score or not len(self._bench.splits.val):
                self._best_score, self._best_epoch, self._best_raw = score, epoch, raw
                self._head_penalty = penalty
                self._best_weights = _copies(self._weights.tensors())
        # Only now: what fails before leaves the run as the epoch before it did.
        self._epoch, self._progress = epoch, self._schedule.progress
        return EpochResult(epoch, score, loss, time.perf_counter() - start)

    @property
    def depth(self) -> int:
        """Blocks up to the last depth of the head."""
        return self._model.depths[-1]

    def model(self) -> TransferModel:
        """The model with the best weights, in eval mode, on the CPU."""
        model = copy.deepcopy(self._model).cpu().to(memory_format=torch.contiguous_format)
        model.load_state_dict(self._best_weights, strict=False)
        self._plan.adaptation.merge(model.backbone.blocks())
        return model.eval()

    def validation_outputs(self) -> Tensor:
        """Raw outputs (V, K) of the best weights on the validation rows."""
        return self._best_raw

    def refit_config(self) -> TrialConfig:
        """The same schedule, ended after the epoch of the best weights, and the penalty of a fitted head.

        Where the learning rate fell by the clock, the schedule is that of as many epochs as it would have
        come to: the share that was done is kept.
        """
        params = {**self._config.params, "stop_epoch": self._best_epoch}
        if self._progress > 0:
            params["epochs"] = max(self._best_epoch, round(self._epoch / self._progress))
        if self._head_penalty is not None:
            params["head_penalty"] = self._head_penalty
        return TrialConfig(self._config.backbone, self._config.strategy, params)

    @property
    def refit_share(self) -> float:
        """The epochs up to the best weights, of those done."""
        return self._best_epoch / max(1, self._epoch)

    def state(self, *, resumable: bool = True) -> dict[str, Tensor]:
        """Best weights and counters; with them, if it is to go on, present weights, moments and average."""
        counters = torch.tensor([self._epoch, self._best_epoch], dtype=torch.int64)
        state = {
            "counters": counters,
            "best_score": torch.tensor(self._best_score, dtype=torch.float64),
            "best_raw": self._best_raw.contiguous(),
            **{f"best.{k}": v for k, v in self._best_weights.items()},
        }
        if self._head_penalty is not None:
            state["head_penalty"] = torch.tensor(self._head_penalty, dtype=torch.float64)
        if resumable:
            state["progress"] = torch.tensor(self._progress, dtype=torch.float64)
            state["training_rows"] = torch.tensor(self._training_rows.rows)
            state |= {f"model.{k}": v for k, v in _copies(self._weights.tensors()).items()}
            state |= {f"optimizer.{k}": v for k, v in self._optimizer.state().items()}
            if self._average is not None:
                state |= {f"average.{k}": v for k, v in self._average.state().items()}
        return state

    # --- training ----------------------------------------------------------------------------------------

    def _train_epoch(self) -> float:
        bench = self._bench
        generator = np.random.default_rng([bench.seed, self._epoch])
        torch.manual_seed(int(generator.integers(2**31)))
        augmenting = torch.Generator(device=bench.device).manual_seed(int(generator.integers(2**31)))
        view = self._view()
        first = self._plan.first(self._epoch)
        self._weights.train_from(first)
        if self._cut:
            bench.frozen.prepare(bench.splits.train, self._cut, view)
            bench.frozen.prepare(bench.splits.val, self._cut)
        total, rows_seen = 0.0, 0
        begun = time.perf_counter()
        for rows in self._plan.objective.batches(bench, self._settings.batch_size, generator):
            if self._schedule.out_of_time and rows_seen:
                break
            gradients = partial(self._gradients, rows, view, first, generator, augmenting)
            loss = self._training_rows.fit(gradients)
            self._optimizer.step(self._schedule.factor)
            if self._average is not None:
                self._average.update()
            self._schedule.step += 1
            total, rows_seen = total + loss * len(rows), rows_seen + len(rows)
            self._schedule.keep_back(self._seconds_to_evaluate((time.perf_counter() - begun) / rows_seen))
        return total / max(1, rows_seen)

    def _seconds_to_evaluate(self, seconds_a_row: float) -> float:
        """Seconds that scoring takes, and fitting the head before it, where training takes so many a row."""
        if self._evaluation_seconds is not None:
            return self._evaluation_seconds
        fitted = len(self._bench.splits.train) if self._plan.objective.fits_head else 0
        return _FORWARD_SHARE * seconds_a_row * (len(self._bench.splits.val) + fitted)

    def _gradients(
        self,
        rows: Array,
        view: View,
        first: int,
        generator: np.random.Generator,
        augmenting: torch.Generator,
        most: int,
    ) -> float:
        """Leave the gradients of the mean loss over `rows`, `most` of them at once; give that loss."""
        bench = self._bench
        self._optimizer.clear()
        total = 0.0
        for part in parts(rows, most):
            batch = self._features.load(part, view)
            if self._augments_batches:
                batch = bench.modality.augment(batch, self._settings.augment, augmenting)
            targets = self._plan.objective.targets(bench, part).to(bench.device)
            loss = self._loss(batch, targets, first, generator)
            loss = loss * (len(part) / len(rows))
            self._optimizer.backward(loss)
            total += loss.item()
        return total

    def _loss(self, batch: Batch, targets: Tensor, first: int, generator: np.random.Generator) -> Tensor:
        # Nothing before the first depth of the head needs a graph while it is frozen.
        start = max(self._cut, min(first, self._model.depths[0] - 1))
        with torch.no_grad(), self._precision.autocast():
            hidden = self._backbone.run(batch, self._cut, start) if start > self._cut else batch
        if self._settings.mixup and not self._bench.frozen.inputs.ragged:
            hidden, targets = mix(hidden, targets, self._settings.mixup, generator)
        with self._precision.autocast():
            features = self._model.features(hidden, start)
        loss = self._plan.objective.loss(features.float(), targets, self._head_loss)
        if not torch.isfinite(loss):
            raise NonFiniteError(
                "the training loss is not finite",
                found=f"{loss.item()} in epoch {self._epoch + 1}",
                hint="A lower learning rate may help.",
            )
        return loss

    def _head_loss(self, features: Tensor, targets: Tensor) -> Tensor:
        raw, kind = self._model.head(features), self._bench.task.kind
        return mean_loss(raw, targets, kind, self._class_weights, self._settings.label_smoothing)

    # --- data --------------------------------------------------------------------------------------------

    def _keeps_activations(self, cut: int) -> bool:
        """Whether the frozen blocks run once, and not at each step."""
        rows = np.concatenate([self._bench.splits.train, self._bench.splits.val])
        views = self._settings.views if self._settings.augment != "none" else 1
        return self._bench.frozen.can_keep(rows, cut, views)

    def _view(self) -> View:
        """The version of the inputs that this epoch sees: the plain one first, then the others in turn.

        The plain one also where there is no time to compute another.
        """
        kept = self._cut > 0 and not self._bench.frozen.inputs.ragged
        if self._settings.augment == "none" or self._settings.views <= 1 or not kept:
            return PLAIN
        index = self._epoch % self._settings.views
        if not index:
            return PLAIN
        view = View(index, self._settings.augment)
        missing = self._bench.frozen.pass_seconds(self._bench.splits.train, view, self._cut)
        return view if self._bench.affords(missing) else PLAIN

    @property
    def _augments_batches(self) -> bool:
        """Whether each batch is changed anew: inputs, or the masks of sequences at any cut."""
        fresh = self._cut == 0 or self._bench.frozen.inputs.ragged
        return fresh and self._settings.augment != "none"

    # --- scoring -----------------------------------------------------------------------------------------

    @property
    def _head_kind(self) -> str:
        return "ridge" if self._bench.task.kind is TaskKind.REGRESSION else "logistic"

    def _fit_head(self, held_out: Tensor) -> float:
        """Fit the head to the features of the present weights; gives its penalty.

        Args:
            held_out: (V, F) features of the validation rows.
        """
        penalty, device = self._config.get("head_penalty"), self._bench.device
        features = self._features(self._bench.splits.train).to(device)
        fitted = fit_head(
            self._bench,
            self._head_kind,
            features,
            held_out.to(device),
            penalty=penalty,
            weighting=self._settings.class_weight,
        )[0]
        self._model.head.load_state_dict(fitted.module().state_dict())
        return fitted.penalty

    @torch.no_grad()
    def _raw(self, features: Tensor) -> Tensor:
        """Raw outputs (n, K) of the head, on the CPU."""
        raw: Tensor = self._model.head(features.to(self._bench.device))
        return raw.cpu()

    # --- weights -----------------------------------------------------------------------------------------

    def _restore(self, state: dict[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self._epoch, self._best_epoch = (int(value) for value in state["counters"])
        self._progress = float(state.get("progress", self._epoch / self._settings.epochs))
        self._best_score = float(state["best_score"])
        self._best_raw = state["best_raw"]
        self._best_weights = part("best.")
        self._model.load_state_dict(part("model.") or self._best_weights, strict=False)
        if "head_penalty" in state:
            self._head_penalty = float(state["head_penalty"])
        if "training_rows" in state:
            self._training_rows.rows = int(state["training_rows"])
        if moments := part("optimizer."):
            self._optimizer.load(moments)
        if self._average is not None and (average := part("average.")):
            self._average.load(average)

    def _new_schedule(self) -> Schedule:
        steps, done = self._settings.epochs * self._batches, self._epoch * self._batches
        return Schedule(steps, self._settings.warmup_share, self._bench.deadline, done, self._progress)


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that training leaves alone."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
