"""What models take once they are deployed: of trials, and of backbones before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from torch import nn

from autotl.automl.settings import Settings
from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.load import load
from autotl.config import Choice
from autotl.cores import processor
from autotl.data.dataset import Dataset, Splits
from autotl.export.onnx import to_graph
from autotl.features.record import MachineRecord
from autotl.graph.footprint import Footprint, measure
from autotl.modalities.modality import Decoder, Example, Item
from autotl.modalities.registry import modality
from autotl.profile.profile import DatasetProfile
from autotl.serve.bundle import read_bundle
from autotl.space.limited import SIZE
from autotl.space.limits import Limits
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.space.space import SearchSpace
from autotl.training.model import TransferModel
from autotl.trial.benches import specification
from autotl.versions import SERVING, versions

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
#: What makes a graph of a network, beside autotl.
_EXPORTING = ("torch", "timm", "transformers", "onnx", "onnxscript")
#: Rows of which the one of middle size stands for all.
_LOOKED_AT = 15


def footprint(model: TransferModel, dataset: Dataset, rows: Array, limits: Limits) -> Footprint:
    """What the exported form of a model takes here.

    Args:
        model: The model, on the CPU.
        dataset: The data.
        rows: Rows of them, of the first of which a typical one is predicted.
        limits: Tell batch and threads, and whether memory matters.
    """
    decoder = modality(model.spec.modality).decoder(model.spec)
    example = _typical(decoder, dataset.take(rows[:_LOOKED_AT]).items)
    return _measured(to_graph(model, example), decoder, example, limits)


def shipped_footprint(folder: Path, dataset: Dataset, rows: Array, limits: Limits) -> Footprint:
    """What the graph of a bundle takes here, measured as `footprint` does.

    Args:
        folder: The bundle.
        dataset: The data.
        rows: Rows of them, of the first of which a typical one is predicted.
        limits: Tell batch and threads, and whether memory matters.
    """
    import onnx

    bundle = read_bundle(folder, check=False)
    decoder = modality(bundle.spec.modality).decoder(bundle.spec)
    example = _typical(decoder, dataset.take(rows[:_LOOKED_AT]).items)
    return _measured(onnx.load(bundle.model), decoder, example, limits)


def _measured(graph: onnx.ModelProto, decoder: Decoder, example: Example, limits: Limits) -> Footprint:
    batch = limits.batch
    return measure(
        graph,
        decoder.collate([example]),
        many=None if batch == 1 else (batch, decoder.collate([example] * batch)),
        threads=limits.threads,
        with_memory=limits.max_memory_bytes is not None,
    )


def _typical(decoder: Decoder, items: Sequence[Item]) -> Example:
    """The decoded input of middle size."""
    examples = sorted(map(decoder.decode, items), key=lambda e: sum(values.nbytes for values in e.values()))
    return examples[len(examples) // 2]


def _offered(space: SearchSpace, info: BackboneInfo) -> list[int]:
    """The input sizes that the baseline may take on a backbone, 0 for its own."""
    active = space.strategy(BASELINE_STRATEGY).active(info.name, {})
    domain = next((parameter.domain for parameter in active if parameter.name == SIZE), None)
    if info.input.get("fixed_size") or not isinstance(domain, Choice):
        return [0]
    return [int(option) for option in domain.options if isinstance(option, int)]


class Meter:
    """Measures backbones against limits before anything is trained; what was measured is kept.

    Args:
        dataset, splits, profile: The data.
        settings: Give limits, and where measurements are kept.
    """

    def __init__(self, dataset: Dataset, splits: Splits, profile: DatasetProfile, settings: Settings) -> None:
        self._dataset, self._rows = dataset, splits.val
        self._profile, self._settings = profile, settings
        self._limits = settings.limits
        self._record = MachineRecord(settings.cache_dir / "footprints.json")

    def sizes(self, space: SearchSpace, info: BackboneInfo) -> list[int] | str:
        """The input sizes, of those that the space offers, at which a backbone meets the limits.

        Its own size, 0, comes first; what is smaller than one that meets them is not measured.

        Returns:
            The sizes; why it meets the limits at none where that is so.
        """
        own = info.input.get("size", 0)
        allowed: list[int] = []
        reasons: list[str] = []
        for size in sorted(_offered(space, info), key=lambda size: (size != 0, size != own, -size)):
            is_smaller = any((size or own) < (known or own) for known in allowed)
            over = None if is_smaller else self._limits.exceeded_by(self._footprint(info, size))
            if over is None:
                allowed.append(size)
            else:
                reasons.append(over)
        return allowed or reasons[0]

    def words(self, info: BackboneInfo, size: int) -> str:
        """What a backbone takes at an input size that was found to meet the limits, for a person."""
        at = f" at {size} px" if size else ""
        return f"measured{at}: {self._limits.words(self._footprint(info, size))}"

    def _footprint(self, info: BackboneInfo, size: int) -> Footprint:
        """What a backbone takes at an input size, measured when first asked for."""
        size = 0 if size == info.input.get("size") else size
        key = self._key(info, size)
        known = self._record.get(key)
        if known is None:
            known = asdict(self._measure(info, size))
            self._record.put(key, known)
        return Footprint(**known)

    def _measure(self, info: BackboneInfo, size: int) -> Footprint:
        settings = self._settings
        with cache_at(settings.cache_dir):
            backbone = load(info, offline=settings.offline)
        params = {"input_size": size} if size else {}
        spec = specification(backbone, self._profile.inputs, params)
        task = self._dataset.task
        head = nn.Linear(backbone.feature_dim(), task.outputs)
        model = TransferModel(backbone, head, (backbone.depth,), task, spec)
        return footprint(model, self._dataset, self._rows, self._limits)

    def _key(self, info: BackboneInfo, size: int) -> str:
        """All that a measurement depends on."""
        limits = self._limits
        facts: dict[str, Any] = {
            "backbone": asdict(info),
            "data": self._profile.fingerprint,
            "size": size,
            "batch": limits.batch,
            "threads": limits.threads,
            "memory": limits.max_memory_bytes is not None,
            "versions": versions(("autotl", *SERVING, *_EXPORTING)),
            "processor": processor(),
        }
        return json.dumps(facts, sort_keys=True)
