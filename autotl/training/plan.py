"""`Plan`: what a strategy decides about gradient training; the loop does the rest."""

from __future__ import annotations

from dataclasses import dataclass

from autotl.config import TrialConfig
from autotl.errors import TrialError
from autotl.training.adaptation import WHOLE_BLOCKS, Adaptation
from autotl.training.objective import TASK_LOSS, Objective


@dataclass(frozen=True)
class Plan:
    """Which blocks train, when, from which weights, and which weights of them.

    Attributes:
        cut: Blocks before this one never train; their activations are computed once.
        first_trained: First block that trains, by epoch from 0; the last entry holds from then on. A value
            of D trains the head alone. Never less than `cut`.
        end: Blocks from this one on never train, though gradients pass through them; None trains up to D.
        random_from: Blocks from this one on start from random weights; 0 is the network from scratch, None
            keeps all that is pretrained. Never less than `cut`.
        kept_rate: What multiplies the learning rate of blocks before `random_from`.
        warm_head: Start the head from the best logistic regression (or ridge) on the frozen features; of no
            use above random blocks.
        adaptation: Which weights of a block train.
        objective: What they are trained for.

    Raises:
        TrialError: A block before the cut would train or be random.
    """

    cut: int
    first_trained: tuple[int, ...]
    end: int | None = None
    random_from: int | None = None
    kept_rate: float = 1.0
    warm_head: bool = True
    adaptation: Adaptation = WHOLE_BLOCKS
    objective: Objective = TASK_LOSS

    def __post_init__(self) -> None:
        least = min(*self.first_trained, self.cut if self.random_from is None else self.random_from)
        if least < self.cut:
            raise TrialError(
                "the plan of a training touches blocks before its cut",
                found=f"block {least}, cut = {self.cut}",
                expected="first_trained >= cut and random_from >= cut",
            )

    def first(self, epoch: int) -> int:
        """First block that trains in `epoch` (from 0)."""
        return self.first_trained[min(epoch, len(self.first_trained) - 1)]

    def is_random(self, block: int) -> bool:
        """Whether a block starts from random weights."""
        return self.random_from is not None and block >= self.random_from

    def rate(self, block: int) -> float:
        """What multiplies the learning rate of a block."""
        return 1.0 if self.random_from is None or self.is_random(block) else self.kept_rate


def head_depths(name: str, cut: int, depth: int) -> tuple[int, ...]:
    """Depths whose pooled features the head of a training sees: "last", or "late".

    "late" is the later half of the network, as far as it lies after the cut: features of what the cut leaves
    out would have to be kept beside the activations.
    """
    if name == "last":
        return (depth,)
    return tuple(range(max(1, depth // 2, min(cut + 1, depth)), depth + 1))


@dataclass(frozen=True)
class Settings:
    """Settings of the training loop, read from a configuration.

    Attributes are named as the parameters in `training.parameters`.
    """

    learning_rate: float
    head_learning_rate_factor: float
    layer_decay: float
    weight_decay: float
    epochs: int
    batch_size: int
    warmup_share: float
    label_smoothing: float
    class_weight: str
    train_batch_norm: bool
    augment: str
    views: int
    mixup: float
    ema: float
    stop_epoch: int

    @classmethod
    def of(cls, config: TrialConfig) -> Settings:
        """Settings of a configuration; `stop_epoch` ends a refit where the search found its best."""
        epochs = config.epochs
        return cls(
            learning_rate=float(config.get("learning_rate", 3e-4)),
            head_learning_rate_factor=float(config.get("head_learning_rate_factor", 3.0)),
            layer_decay=float(config.get("layer_decay", 0.85)),
            weight_decay=float(config.get("weight_decay", 0.01)),
            epochs=epochs,
            batch_size=int(config.get("batch_size", 32)),
            warmup_share=float(config.get("warmup_share", 0.1)),
            label_smoothing=float(config.get("label_smoothing", 0.0)),
            class_weight=str(config.get("class_weight", "none")),
            train_batch_norm=config.get("batch_norm", "frozen") == "train",
            augment=str(config.get("augment", "none")),
            views=int(config.get("views", 1)),
            mixup=float(config.get("mixup", 0.0)),
            ema=float(config.get("ema", 0.0)),
            stop_epoch=int(config.get("stop_epoch", epochs)),
        )
