"""`Plan`: what a strategy decides about gradient training; the loop does the rest."""

from __future__ import annotations

from dataclasses import dataclass

from autotl.config import TrialConfig


@dataclass(frozen=True)
class Plan:
    """Which blocks train, and when.

    Attributes:
        cut: Blocks before this one never train; their activations are computed once.
        first_trained: First block that trains, by epoch from 0; the last entry holds from then on. A value
            of D trains the head alone. Never less than `cut`.
        pretrained: False starts from random weights.
        warm_head: Start the head from the best logistic regression (or ridge) on the frozen features.
    """

    cut: int
    first_trained: tuple[int, ...]
    pretrained: bool = True
    warm_head: bool = True

    def first(self, epoch: int) -> int:
        """First block that trains in `epoch` (from 0)."""
        return self.first_trained[min(epoch, len(self.first_trained) - 1)]


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
    stop_epoch: int

    @classmethod
    def of(cls, config: TrialConfig) -> Settings:
        """Settings of a configuration; `stop_epoch` ends a refit where the search found its best."""
        epochs = config.epochs
        return cls(
            learning_rate=float(config.get("learning_rate", 3e-4)),
            head_learning_rate_factor=float(config.get("head_learning_rate_factor", 3.0)),
            layer_decay=float(config.get("layer_decay", 1.0)),
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
            stop_epoch=int(config.get("stop_epoch", epochs)),
        )
