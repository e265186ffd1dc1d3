"""Workbenches of a run: backbones are loaded once, and share their features between trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from autotl.backbones.backbone import Backbone, BackboneInfo
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.load import load
from autotl.config import TrialConfig, Value
from autotl.features.frozen import FrozenPart
from autotl.features.inputs import PreparedInputs
from autotl.features.keys import feature_facts, input_facts
from autotl.features.record import MachineRecord
from autotl.features.store import FeatureStore
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.registry import modality
from autotl.profile.profile import Shift
from autotl.profile.shift import measure_shift
from autotl.task import metric
from autotl.training.model import TransferModel
from autotl.training.workbench import Workbench
from autotl.trial.plan import RunnerPlan

Report = Callable[[int, int], None]
#: Rows that the shift from the source domain is measured on.
_SHIFT_ROWS = 64


class Benches:
    """One workbench a backbone and preprocessing, made when first asked for.

    Args:
        plan: Data, backbones and resources.
        frozen_part: What computes and keeps features.
        report: Called with (rows done, rows to do) while features are computed.

    Attributes:
        load_seconds: What loading the last backbone took; 0 before the first.
    """

    def __init__(
        self, plan: RunnerPlan, *, frozen_part: type[FrozenPart] = FrozenPart, report: Report | None = None
    ) -> None:
        self.load_seconds = 0.0
        self._plan, self._frozen_part, self._report = plan, frozen_part, report
        self._modality = modality(plan.dataset.modality)
        self._metric = metric(plan.dataset.task.metric, plan.dataset.task.kind)
        self._backbones: dict[str, Backbone] = {}
        self._benches: dict[tuple[str, str], Workbench] = {}
        resources = plan.resources
        self._store = FeatureStore(resources.cache_dir / "features", resources.cache_limit)
        self._threads = resources.threads or torch.get_num_threads()

    def __iter__(self) -> Iterator[Workbench]:
        """Those made so far."""
        return iter(self._benches.values())

    def of(self, config: TrialConfig) -> Workbench:
        """The workbench of a configuration."""
        backbone = self._backbone(config.backbone)
        spec = specification(backbone, self._plan.description, config.params)
        key = (config.backbone, spec.key)
        if key not in self._benches:
            plan = self._plan
            facts = input_facts(plan.dataset, self._modality, spec)
            inputs = PreparedInputs(
                plan.dataset, self._modality, spec, self._store.open(facts), self._threads
            )
            frozen = self._frozen_part(
                backbone,
                inputs,
                self._modality,
                len(plan.dataset),
                self._store.open(feature_facts(facts, backbone, plan.resources.device)),
                device=plan.resources.device,
                threads=self._threads,
                record=MachineRecord(plan.resources.cache_dir / "engines.json"),
                report=self._report,
            )
            self._benches[key] = Workbench(
                dataset=plan.dataset,
                splits=plan.splits,
                modality=self._modality,
                backbone=backbone,
                build=lambda: self._load(backbone.info, pretrained=False),
                spec=spec,
                frozen=frozen,
                metric=self._metric,
                device=plan.resources.device,
                seed=plan.resources.seed,
            )
        return self._benches[key]

    def any_of(self, config: TrialConfig) -> Workbench:
        """A workbench that is there already, else that of a configuration: scores mean the same on all."""
        return next(iter(self), None) or self.of(config)

    def is_loaded(self, backbone: str) -> bool:
        """Whether a backbone is in memory."""
        return backbone in self._backbones

    def inputs_of(self, model: TransferModel) -> PreparedInputs:
        """The prepared inputs that a model takes."""
        return self._benches[model.backbone.info.name, model.spec.key].frozen.inputs

    def shifts(self) -> tuple[Shift, ...]:
        """How far the training rows lie from the source domain of each backbone that was used."""
        found, train = [], self._plan.splits.train
        for bench in {key[0]: bench for key, bench in self._benches.items()}.values():
            rows = train[:: max(1, len(train) // _SHIFT_ROWS)][:_SHIFT_ROWS]
            batches = [bench.frozen.inputs.batch(rows)]
            items = bench.dataset.take(rows).items
            backbone = bench.fresh_backbone()
            backbone.module.cpu()
            shift = measure_shift(backbone, batches, items=items, description=self._plan.description)
            if shift is not None:
                found.append(shift)
        return tuple(found)

    def clear(self) -> None:
        """Let go of cached features; what is kept on disk stays within the limit of the store."""
        self._benches.clear()
        self._store.close()

    def _backbone(self, name: str) -> Backbone:
        if name not in self._backbones:
            begun = time.perf_counter()
            self._backbones[name] = self._load(self._plan.infos[name])
            self.load_seconds = time.perf_counter() - begun
        return self._backbones[name]

    def _load(self, info: BackboneInfo, *, pretrained: bool = True) -> Backbone:
        with cache_at(self._plan.resources.cache_dir):
            return load(info, offline=self._plan.resources.offline, pretrained=pretrained)


def specification(
    backbone: Backbone, description: Mapping[str, Any], params: Mapping[str, Value]
) -> PreprocessingSpec:
    """The preprocessing that feeds a backbone.

    Args:
        backbone: The network.
        description: What the modality found of the data.
        params: Of a trial.
    """
    # Text preprocessing reads the path of a tokenizer under the name "tokenizer".
    assets = {name.removesuffix(".json"): str(path) for name, path in backbone.assets().items()}
    requirements = {**backbone.info.input, **assets}
    spec = modality(backbone.info.modality).preprocessing(requirements, description, params)
    return replace(spec, assets=dict(backbone.assets()))
