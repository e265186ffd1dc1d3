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
from autotl.task import Task, TaskKind
from autotl.training.depths import SHARES, FeatureSet, promising, surpasses
from autotl.training.heads import Head, best_head, head_tensors, restored_head
from autotl.training.model import TransferModel
from autotl.training.parameters import input_parameters
from autotl.training.workbench import Workbench

#: Sets of depths that "auto" fits heads on, beside one of selected features.
_FITTED = 2
#: Time of a single fit, as a share of that of a path of penalties: 0.19 to 0.27 on banking77 and trashnet256.
_SINGLE_FIT = 0.3


class LinearProbeRun:
    """One fit of a head, with depth and penalty chosen on validation where they are left open."""

    def __init__(self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None) -> None:
        self._bench, self._config = bench, config
        self._head: Head | None = None
        self._raw = torch.zeros(0, bench.task.outputs)
        self._features = FeatureSet((bench.backbone.depth,))
        self._refit_share = 1.0
        if state is not None:
            self._head = restored_head(state)
            self._raw = state["raw"]
            depths = tuple(int(depth) for depth in state["depths"])
            self._features = FeatureSet(depths, float(state["share"]))

    @property
    def done(self) -> bool:
        """Whether the head is fitted."""
        return self._head is not None

    def step(self) -> EpochResult:
        """Fit the head and score it."""
        config = self._config
        penalty = config.get("regularisation", "auto")
        both = np.concatenate([self._bench.splits.train, self._bench.splits.val])
        self._bench.frozen.pooled(both, (self._bench.backbone.depth,))
        start = time.perf_counter()  # features are shared by all trials, and not counted
        fitted = 0.0
        automatic, score = config.get("depths", "last") == "auto", float("nan")
        for features in self._feature_sets():
            begun = time.perf_counter()
            head, raw, found = best_head(
                self._bench,
                str(config.get("head", "logistic")),
                features.depths,
                share=features.share,
                penalty=None if penalty == "auto" else float(penalty),
                weighting=str(config.get("class_weight", "none")),
            )
            better = found > score and (not automatic or self._surpassed_by(raw))
            if self._head is None or better:
                self._head, self._raw, self._features, score = head, raw, features, found
                fitted = time.perf_counter() - begun
            if self._bench.seconds_left <= 0:
                break
        seconds = time.perf_counter() - start
        self._refit_share = fitted / seconds * (_SINGLE_FIT if penalty == "auto" else 1.0)
        return EpochResult(1, score, float("nan"), seconds)

    def _feature_sets(self) -> list[FeatureSet]:
        """What to fit heads on; for "auto" the few that closed-form fits find, the preferred one first."""
        depth, share = self._bench.backbone.depth, float(self._config.get("share", 1.0))
        name = str(self._config.get("depths", "last"))
        sets = depth_sets(name, depth)
        return (
            promising(self._bench, sets, _FITTED) if name == "auto" else [FeatureSet(d, share) for d in sets]
        )

    def _surpassed_by(self, raw: Tensor) -> bool:
        """Whether validation outputs are better than those kept by more than the noise."""
        targets = self._bench.dataset.targets[self._bench.splits.val]
        predictions = (self._bench.predictions(outputs) for outputs in (raw, self._raw))
        return surpasses(self._bench, targets, *predictions)

    @property
    def depth(self) -> int:
        """Blocks up to the last depth that was chosen."""
        return self._features.depths[-1]

    def model(self) -> TransferModel:
        """The frozen backbone under the fitted head."""
        assert self._head is not None, "step() comes first"
        model = self._bench.model(self._bench.backbone, self._head.module(), self._features.depths)
        return model.eval().cpu()

    def validation_outputs(self) -> Tensor:
        """Raw outputs (V, K)."""
        return self._raw

    def refit_config(self) -> TrialConfig:
        """The configuration with the depths and the penalty that were chosen."""
        assert self._head is not None, "step() comes first"
        chosen: dict[str, Value] = {
            "depths": ",".join(str(depth) for depth in self._features.depths),
            "share": self._features.share,
            "regularisation": self._head.penalty,
        }
        return TrialConfig(self._config.backbone, self._config.strategy, {**self._config.params, **chosen})

    @property
    def refit_share(self) -> float:
        """One head, of all that were fitted to choose it."""
        return self._refit_share

    def state(self, *, resumable: bool = True) -> dict[str, Tensor]:
        """The fitted head and its outputs."""
        if self._head is None:
            return {}
        return {
            **head_tensors(self._head),
            "raw": self._raw.contiguous(),
            "depths": torch.tensor(self._features.depths),
            "share": torch.tensor(self._features.share, dtype=torch.float64),
        }


def depth_sets(name: str, depth: int) -> Sequence[tuple[int, ...]]:
    """Sets of depths to try, of which the best on validation is kept.

    "last" is the network's own embedding, "inner" each single depth of the later half, "late" the later half
    together, "all" every depth together, "auto" all of these and the earlier depths too, simplest first;
    numbers separated by commas are those depths.
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
    if name == "auto":
        singles: list[tuple[int, ...]] = [(d,) for d in range(depth, 0, -1)]
        return list(dict.fromkeys([*singles, tuple(half), tuple(range(1, depth + 1))]))
    return [tuple(int(part) for part in name.split(","))]


class LinearProbe:
    """A linear head on frozen features."""

    name = "linear_probe"
    summary = "A linear head on frozen features, from one or several depths."

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Works on every backbone, for every task."""
        return True

    def parameters(self, profile: Mapping[str, Any]) -> dict[str, Domain]:
        """Kind of head, depths and penalty.

        Features of augmented inputs are none of them: two to four views gained 1 to 3 points on signdigits,
        lost as much on trashnet256, and cost a pass each.
        """
        kind = Task.from_json(profile["task"]).kind
        heads = {
            TaskKind.REGRESSION: ("ridge", "mlp"),
            TaskKind.MULTILABEL: ("logistic", "ridge", "mlp"),
        }.get(kind, ("logistic", "ridge", "prototype", "mlp"))
        return {
            "head": Choice(heads, heads[0]),
            "depths": Choice(("last", "auto", "inner", "late", "all"), "last"),
            "share": Choice((1.0, *SHARES), 1.0),
            "regularisation": Choice(("auto", 1000.0, 100.0, 10.0, 1.0), "auto"),
            "class_weight": Choice(("none", "balanced"), "none"),
            **input_parameters(profile),
        }

    def cost(self, config: TrialConfig, macs: float, rows: int) -> float:
        """A pass over all rows; the head is small change."""
        return float(macs * rows)

    def start(
        self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None = None
    ) -> LinearProbeRun:
        """Begin, or go on."""
        return LinearProbeRun(bench, config, state)


STRATEGY = LinearProbe()
