"""One model whose weights are the mean of those of several trainings of the same network."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from autotl.errors import TrialError
from autotl.training.model import TransferModel


def can_average(one: TransferModel, other: TransferModel) -> bool:
    """Whether two models have the same weights by name and shape, fed alike."""
    own, others = (model.state_dict() for model in (one, other))
    return (
        one.spec.key == other.spec.key
        and one.depths == other.depths
        and own.keys() == others.keys()
        and all(own[name].shape == others[name].shape for name in own)
    )


@torch.no_grad()
def soup(models: Sequence[TransferModel], weights: Sequence[float]) -> TransferModel:
    """The model with the weighted mean of all weights and statistics (Wortsman et al. 2022).

    Trainings that began at the same pretrained weights often end in one basin of the loss, where the mean is
    as good as an ensemble and costs one pass. Whether it is must be measured.

    Args:
        models: Models of the same network, on one device; left as they are.
        weights: A positive weight a model.

    Raises:
        TrialError: The models differ in their weights' names or shapes.
    """
    first = models[0]
    if not all(can_average(first, model) for model in models):
        raise TrialError(
            "weights of different networks cannot be averaged",
            expected="the same backbone, depths and preprocessing",
        )
    joined = copy.deepcopy(first)
    states = [model.state_dict() for model in models]
    for name, target in joined.state_dict().items():
        if target.is_floating_point():
            parts = [state[name] * (w / sum(weights)) for state, w in zip(states, weights, strict=True)]
            target.copy_(torch.stack(parts).sum(dim=0))
    return joined.eval()
