"""Runs trials on a data set: loads backbones, shares their features, and stores what a trial leaves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.atomic import replacing
from autotl.backbones.backbone import Backbone, BackboneInfo, Batch
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.load import load
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.data.dataset import Dataset, Splits
from autotl.errors import RunError, TrialError
from autotl.features.engines import EngineRecord
from autotl.features.frozen import FrozenPart
from autotl.features.inputs import PreparedInputs
from autotl.features.keys import feature_facts, input_facts
from autotl.features.store import FeatureStore
from autotl.modalities.registry import modality
from autotl.profile.profile import Shift
from autotl.profile.shift import measure_shift
from autotl.strategies.registry import strategy
from autotl.strategies.strategy import Run
from autotl.task import metric
from autotl.training.model import TransferModel
from autotl.training.workbench import Workbench
from autotl.trial.run_folder import RunFolder
from autotl.trial.weights import read_notes, read_weights, write_weights

Array = NDArray[Any]
Report = Callable[[int, int], None]
#: Rate assumed before any was measured, in multiply-accumulates a second: two CPU cores.
_ASSUMED_RATE = 2e10
_PREDICTION_BATCH = 16
#: Share of an epoch below which a trial is not worth beginning.
_LEAST_PART = 0.3
#: Rows that the shift from the source domain is measured on.
_SHIFT_ROWS = 64


@dataclass(frozen=True)
class Resources:
    """What trials may use.

    Attributes:
        device: Where torch runs.
        threads: CPU threads, None for the library's own choice.
        offline: Never touch a hub.
        seed: Seed of everything random.
        cache_dir: Folder of the lock file of downloads, of the engine record and of cached features.
        cache_limit: Bytes of features that may stay there after a run; None for the store's own limit.
    """

    device: torch.device
    threads: int | None
    offline: bool
    seed: int
    cache_dir: Path
    cache_limit: int | None = None


@dataclass(frozen=True)
class RunnerPlan:
    """All that a runner is made from, in a form that another process can be given.

    Attributes:
        dataset: Items and targets.
        splits: Its parts.
        infos: Backbones that may be asked for, by name.
        description: What the modality found of the items (`DatasetProfile.inputs`).
        folder: Where results go.
        resources: Device, threads, seed.
    """

    dataset: Dataset
    splits: Splits
    infos: Mapping[str, BackboneInfo]
    description: Mapping[str, Any]
    folder: RunFolder
    resources: Resources


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
        """One epoch."""
        epoch = self._run.step()
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
            facts={"parameters": info.parameters, "macs": info.macs, "licence": info.licence},
        )
        if self._curve and state is not TrialState.FAILED:
            best = max(range(len(self._curve)), key=lambda i: self._curve[i].score)
            result = replace(result, score=self._curve[best].score, best_epoch=best + 1)
            result = result.with_facts(refit=self._run.refit_config().to_json())
            self._runner.save(self.number, self._run)
            self._runner.learn_rate(result)
        if state is not TrialState.PAUSED:
            self._runner.drop_checkpoint(self.number)
        return result


class TrialRunner:
    """Starts trials; see `autotl.trial.trial.TrialFactory`.

    Args:
        plan: Data, backbones, folder and resources.
        deadline: Gives the time (`time.monotonic`) by which training must end.
        report: Called with (rows done, rows to do) while features are computed.
    """

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
        self._description = plan.description
        self._resources = plan.resources
        self._deadline = deadline
        self._report = report
        self._modality = modality(self.dataset.modality)
        self._metric = metric(self.dataset.task.metric, self.dataset.task.kind)
        self._backbones: dict[str, Backbone] = {}
        self._benches: dict[tuple[str, str], Workbench] = {}
        self._store = FeatureStore(plan.resources.cache_dir / "features", plan.resources.cache_limit)
        self._rates: dict[str, float] = {}
        self._expected: dict[str, float] = {}
        self._load_seconds = 0.0

    def start(self, number: int, config: TrialConfig) -> TransferTrial:
        """Prepare a trial.

        Raises:
            TrialError: The backbone is not among those that may be used.
        """
        if config.backbone not in self.infos:
            raise TrialError("unknown backbone", found=config.backbone, expected=", ".join(self.infos))
        return TransferTrial(number, config, self)

    def resume(self, result: TrialResult) -> TransferTrial:
        """Go on with a paused trial.

        Raises:
            RunError: Its checkpoint is not there.
        """
        path = self._checkpoint(result.number)
        if not path.is_file():
            raise RunError(f"trial {result.number} left nothing to go on from", found=f"no {path}")
        # Its own record counts: `result` may be older.
        reached = TrialResult.from_json(json.loads(read_notes(path)["result"]))
        return TransferTrial(result.number, result.config, self, reached, read_weights(path))

    def bench(self, config: TrialConfig) -> Workbench:
        """The workbench of a configuration; one a backbone and preprocessing."""
        backbone = self._backbone(config.backbone)
        requirements = {**backbone.info.input, **_tokenizer(backbone)}
        spec = self._modality.preprocessing(requirements, self._description, config.params)
        spec = replace(spec, assets=dict(backbone.assets()))
        key = (config.backbone, spec.key)
        if key not in self._benches:
            facts = input_facts(self.dataset, self._modality, spec)
            threads = self._resources.threads or torch.get_num_threads()
            inputs = PreparedInputs(self.dataset, self._modality, spec, self._store.open(facts), threads)
            frozen = FrozenPart(
                backbone,
                inputs,
                self._modality,
                len(self.dataset),
                self._store.open(feature_facts(facts, backbone, self._resources.device)),
                device=self._resources.device,
                threads=threads,
                record=EngineRecord(self._resources.cache_dir / "engines.json"),
                report=self._report,
            )
            self._benches[key] = Workbench(
                dataset=self.dataset,
                splits=self.splits,
                modality=self._modality,
                backbone=backbone,
                build=lambda: self._load(backbone.info, pretrained=False),
                spec=spec,
                frozen=frozen,
                metric=self._metric,
                device=self._resources.device,
                seed=self._resources.seed,
                threads=threads,
            )
        return replace(self._benches[key], deadline=self._deadline())

    def close(self) -> None:
        """Let go of cached features: later runs find them, as far as the limit of the store allows."""
        self._benches.clear()
        self._store.close()

    # --- cost ----------------------------------------------------------------------------------------------

    def predict_seconds(self, config: TrialConfig) -> float | None:
        """Predicted seconds until a first epoch is scored; None before any rate is known.

        A strategy with epochs fits its schedule to the time that is left, so only a part of one is asked for.
        """
        known = {"all": _ASSUMED_RATE, **self._rates}
        rate = self._rates.get(config.strategy) or self._expected.get(config.strategy) or known["all"]
        if not self._rates and config.strategy not in self._expected:
            return None
        part = _LEAST_PART / config.epochs if "epochs" in config.params else 1.0
        load = 0.0 if config.backbone in self._backbones else self._load_seconds
        return load + part * self._cost(config) / rate

    def pass_seconds(self, config: TrialConfig, rows: Array) -> float | None:
        """Predicted seconds to load a backbone and compute what features of some rows are missing.

        None before any pass was timed. A smaller input takes less time by its area.
        """
        passes = {key: bench.frozen.seconds_a_row for key, bench in self._benches.items()}
        paces = [seconds / self.infos[name].macs for (name, _), seconds in passes.items()]
        info = self.infos[config.backbone]
        own = info.input.get("size", 1)
        row = max(paces, default=0.0) * info.macs * ((config.get("input_size") or own) / own) ** 2
        if config.backbone not in self._backbones:
            return self._load_seconds + row * len(rows) if row else None
        frozen = self.bench(config).frozen
        row = frozen.seconds_a_row or row
        return row * frozen.missing(rows) if row else None

    @property
    def rates(self) -> dict[str, float]:
        """Multiply-accumulates a second of this machine, by strategy, "all" for any."""
        return dict(self._rates)

    def expect_rates(self, rates: Mapping[str, float]) -> None:
        """Take over what earlier runs measured, until trials of this one tell better."""
        self._expected = dict(rates)

    def learn_rate(self, result: TrialResult) -> None:
        """Learn from a finished trial how fast this machine is."""
        done = max(1, len(result.curve)) / max(1, result.config.epochs)
        rate = self._cost(result.config) * done / max(result.seconds, 1e-3)
        # Trials that find their features there look too fast: the pass that computed some is the limit, and
        # of several rates of a kind the slowest is believed.
        if row := self.bench(result.config).frozen.seconds_a_row:
            rate = min(rate, self.infos[result.config.backbone].macs / row)
        for kind in ("all", result.config.strategy):
            self._rates[kind] = min(rate, self._rates.get(kind, rate))

    def _cost(self, config: TrialConfig) -> float:
        rows = len(self.splits.train) + len(self.splits.val)
        return strategy(config.strategy).cost(config, self.infos[config.backbone].macs, rows)

    # --- disk ----------------------------------------------------------------------------------------------

    def save(self, number: int, run: Run) -> None:
        """Write the weights and validation outputs of a run."""
        folder = self.folder.trial(number)
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / "model.safetensors", run.state(resumable=False))
        with replacing(folder / "validation.npy") as path, path.open("wb") as file:
            np.save(file, run.validation_outputs().numpy(), allow_pickle=False)

    def save_checkpoint(self, reached: TrialResult, run: Run) -> None:
        """Write all that a run needs to go on, with the result up to there in the same file."""
        path = self._checkpoint(reached.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_weights(path, run.state(), {"result": json.dumps(reached.to_json())})

    def drop_checkpoint(self, number: int) -> None:
        """Delete what a trial needed to go on."""
        self._checkpoint(number).unlink(missing_ok=True)

    def _checkpoint(self, number: int) -> Path:
        return self.folder.trial(number) / "checkpoint.safetensors"

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
        inputs = self._inputs_of(model)
        outputs: list[tuple[Array, Array]] = []
        model = model.eval().to(self._resources.device)

        def visit(chunk: Array, batch: Batch) -> None:
            with torch.inference_mode():
                moved = {name: value.to(self._resources.device) for name, value in batch.items()}
                outputs.append((chunk, model.predict(moved).float().cpu().numpy()))

        inputs.batches(inputs.by_length(rows), _PREDICTION_BATCH, visit)
        order = np.argsort(np.concatenate([chunk for chunk, _ in outputs]), kind="stable")
        back = np.argsort(np.argsort(rows, kind="stable"), kind="stable")
        return np.concatenate([values for _, values in outputs])[order][back]

    def seconds_a_row(self) -> float:
        """Predicted seconds to decode one row and run the whole network on it."""
        return max((bench.frozen.seconds_a_row for bench in self._benches.values()), default=0.0)

    def refit_seconds(self, result: TrialResult) -> float:
        """Predicted seconds of `refit`; features are there already."""
        rows = len(self.splits.train_and_val) / max(1, len(self.splits.train))
        epochs = result.best_epoch / max(1, len(result.curve))
        training = sum(epoch.seconds for epoch in result.curve)
        return rows * epochs * training

    def refit(self, result: TrialResult, deadline: float = math.inf) -> TransferModel:
        """Train the configuration of a result again, on training and validation rows together."""
        config = TrialConfig.from_json(result.facts["refit"])
        run = strategy(config.strategy).start(self.bench(config).with_all_rows(deadline), config)
        while not run.done:
            run.step()
        return run.model()

    def shifts(self) -> tuple[Shift, ...]:
        """How far the training rows lie from the source domain of each backbone that was used."""
        found = []
        for bench in {key[0]: bench for key, bench in self._benches.items()}.values():
            rows = self.splits.train[:: max(1, len(self.splits.train) // _SHIFT_ROWS)][:_SHIFT_ROWS]
            batches = [bench.frozen.inputs.batch(rows)]
            items = bench.dataset.take(rows).items
            backbone = bench.fresh_backbone()
            backbone.module.cpu()
            shift = measure_shift(backbone, batches, items=items, description=self._description)
            if shift is not None:
                found.append(shift)
        return tuple(found)

    def _inputs_of(self, model: TransferModel) -> PreparedInputs:
        """The prepared inputs that a model of this runner takes."""
        return self._benches[model.backbone.info.name, model.spec.key].frozen.inputs

    def _backbone(self, name: str) -> Backbone:
        if name not in self._backbones:
            begun = time.perf_counter()
            self._backbones[name] = self._load(self.infos[name])
            self._load_seconds = time.perf_counter() - begun
        return self._backbones[name]

    def _load(self, info: BackboneInfo, *, pretrained: bool = True) -> Backbone:
        with cache_at(self._resources.cache_dir):
            return load(info, offline=self._resources.offline, pretrained=pretrained)


def _tokenizer(backbone: Backbone) -> dict[str, str]:
    """The path of a tokenizer under the name that text preprocessing reads."""
    return {name.removesuffix(".json"): str(path) for name, path in backbone.assets().items()}
