"""Linear probe: a linear head on frozen features; the features are computed once for all such trials."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Choice, Domain, EpochResult, TrialConfig, Value
from autotl.features.frozen import PLAIN, View
from autotl.task import Task, TaskKind
from autotl.training.heads import best_head
from autotl.training.linear import LinearHead
from autotl.training.model import TransferModel
from autotl.training.parameters import input_parameters
from autotl.training.workbench import Workbench


class LinearProbeRun:
    """One fit of a head, with depth and penalty chosen on validation where they are left open."""

    def __init__(self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None) -> None:
        self._bench, self._config = bench, config
        self._head: LinearHead | None = None
        self._raw = torch.zeros(0, bench.task.outputs)
        self._depths: tuple[int, ...] = ()
        if state is not None:
            self._head = LinearHead(state["weight"], state["bias"], float(state["penalty"]))
            self._raw = state["raw"]
            self._depths = tuple(int(depth) for depth in state["depths"])

    @property
    def done(self) -> bool:
        """Whether the head is fitted."""
        return self._head is not None

    def step(self) -> EpochResult:
        """Fit the head and score it."""
        config = self._config
        penalty = config.get("regularisation", "auto")
        strength = str(config.get("augment", "none"))
        views = [PLAIN]
        if strength != "none":
            views += [View(index, strength) for index in range(1, int(config.get("views", 1)))]
        both = np.concatenate([self._bench.splits.train, self._bench.splits.val])
        for view in views:
            self._bench.frozen.pooled(both, (self._bench.backbone.depth,), view)
        start = time.perf_counter()  # features are shared by all trials, and not counted
        best_score = -float("inf")
        for depths in depth_sets(str(config.get("depths", "last")), self._bench.backbone.depth):
            head, raw, score = best_head(
                self._bench,
                str(config.get("head", "logistic")),
                depths,
                penalty=None if penalty == "auto" else float(penalty),
                weighting=str(config.get("class_weight", "none")),
                views=views,
            )
            if not score <= best_score:
                best_score, self._head, self._raw, self._depths = score, head, raw, depths
        return EpochResult(1, best_score, float("nan"), time.perf_counter() - start)

    def model(self) -> TransferModel:
        """The frozen backbone under the fitted head."""
        assert self._head is not None, "step() comes first"
        head = LinearHead(self._head.weight.cpu(), self._head.bias.cpu(), self._head.penalty)
        return self._bench.model(self._bench.backbone, head.module(), self._depths).eval().cpu()

    def validation_outputs(self) -> Tensor:
        """Raw outputs (V, K)."""
        return self._raw

    def refit_config(self) -> TrialConfig:
        """The configuration with the depths and the penalty that were chosen."""
        assert self._head is not None, "step() comes first"
        chosen: dict[str, Value] = {
            "depths": ",".join(str(depth) for depth in self._depths),
            "regularisation": self._head.penalty,
        }
        return TrialConfig(self._config.backbone, self._config.strategy, {**self._config.params, **chosen})

    def state(self, *, resumable: bool = True) -> dict[str, Tensor]:
        """The fitted head and its outputs."""
        if self._head is None:
            return {}
        return {
            "weight": self._head.weight.cpu().contiguous(),
            "bias": self._head.bias.cpu(),
            "penalty": torch.tensor(self._head.penalty, dtype=torch.float64),
            "raw": self._raw.contiguous(),
            "depths": torch.tensor(self._depths),
        }


def depth_sets(name: str, depth: int) -> Sequence[tuple[int, ...]]:
    """Sets of depths to try, of which the best on validation is kept.

    "last" is the network's own embedding, "inner" each single depth of the later half, "late" the later half
    together, "all" every depth together; numbers separated by commas are those depths.
    """
    half = range(max(1, depth // 2), depth + 1)
    if name == "last":
        return [(depth,)]
    if name == "inner":
        return [(d,) for d in half if d < depth] or [(depth,)]
    if name == "late":
        return [tuple(half)]
    if name == "all":
        return [tuple(range(1, depth + 1))]
    return [tuple(int(part) for part in name.split(","))]


class LinearProbe:
    """A linear head on frozen features."""

    name = "linear_probe"
    summary = "A linear head on frozen features, from one or several depths."

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Works on every backbone, for every task."""
        return True

    def parameters(self, profile: Mapping[str, Any]) -> dict[str, Domain]:
        """Kind of head, depths, penalty, and augmented views where the modality has them."""
        kind = Task.from_json(profile["task"]).kind
        heads = {
            TaskKind.REGRESSION: ("ridge",),
            TaskKind.MULTILABEL: ("logistic", "ridge"),
        }.get(kind, ("logistic", "ridge", "prototype"))
        return {
            "head": Choice(heads, heads[0]),
            "depths": Choice(("last", "inner", "late", "all"), "last"),
            "regularisation": Choice(("auto", 1000.0, 100.0, 10.0, 1.0), "auto"),
            "class_weight": Choice(("none", "balanced"), "none"),
            **input_parameters(profile),
        }

    def cost(self, config: TrialConfig, macs: int, rows: int) -> float:
        """One pass over all rows; the head is small change."""
        return float(macs * rows)

    def start(
        self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None = None
    ) -> LinearProbeRun:
        """Begin, or go on."""
        return LinearProbeRun(bench, config, state)


STRATEGY = LinearProbe()
