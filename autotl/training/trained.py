"""`TrainedWeights`: the weights of a model that a `Plan` trains, and the backbone that it starts from.

Sets what receives gradients and which modules are in training mode; leaves steps to the optimiser.
"""

from __future__ import annotations

from torch import Tensor, nn

from autotl.backbones.backbone import Backbone
from autotl.training.model import TransferModel
from autotl.training.plan import Plan
from autotl.training.workbench import Workbench


def starting_backbone(bench: Workbench, plan: Plan) -> Backbone:
    """A copy of the bench's backbone with the random weights and the adaptation of a plan."""
    backbone = bench.fresh_backbone()
    blocks = backbone.blocks()
    if plan.random_from is not None:
        random = bench.build().blocks()
        for block, source in zip(blocks[plan.random_from :], random[plan.random_from :], strict=True):
            block.load_state_dict(source.state_dict())
    plan.adaptation.attach(blocks[plan.cut : plan.end])
    return backbone


class TrainedWeights:
    """The head and what trains of the blocks between the plan's cut and its end.

    Args:
        model: On its device, with the plan's adaptation attached.
        plan: What trains.
        train_batch_norm: Whether batch norms of pretrained blocks that train follow the batches; those of
            random blocks always do.

    Attributes:
        blocks: Weights of each block that ever train; empty for a frozen block.
        head: Weights of the head.
    """

    def __init__(self, model: TransferModel, plan: Plan, *, train_batch_norm: bool) -> None:
        self._model, self._plan = model, plan
        self._train_batch_norm = train_batch_norm
        self._modules = model.backbone.blocks()
        self._may_train = range(len(self._modules))[plan.cut : plan.end]
        self.blocks = [
            plan.adaptation.trained(block) if i in self._may_train else []
            for i, block in enumerate(self._modules)
        ]
        self.head = list(model.head.parameters())
        model.module.requires_grad_(False)

    def train_from(self, first: int) -> None:
        """Train in blocks from `first` on, and no others: gradients, and training mode."""
        self._model.eval()
        self._model.head.train()
        for i in self._may_train:
            trains = i >= first
            for weight in self.blocks[i]:
                weight.requires_grad_(trains)
                weight.grad = None
            self._modules[i].train(trains)
            if not (self._train_batch_norm or self._plan.is_random(i)):
                _freeze_batch_norm(self._modules[i])

    def tensors(self) -> dict[str, Tensor]:
        """All that training changes, by name in the model: weights, and buffers of the blocks that train."""
        changed = {id(weight) for weights in (self.head, *self.blocks) for weight in weights}
        for module in (self._model.head, *(self._modules[i] for i in self._may_train)):
            changed |= {id(buffer) for buffer in module.buffers()}
        state = self._model.state_dict(keep_vars=True)
        return {name: tensor for name, tensor in state.items() if id(tensor) in changed}


def _freeze_batch_norm(block: nn.Module) -> None:
    for module in block.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
