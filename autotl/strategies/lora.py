"""LoRA: a trained product of two thin matrices beside every linear layer of a transformer (Hu et al. 2022).

The adapters are those of the package peft. They are merged into the weights when the model is asked for, so
what is exported is the plain network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Choice, Domain, TrialConfig
from autotl.errors import MissingExtraError, TrialError
from autotl.strategies.gradient import WITHOUT_WEIGHTS, GradientStrategy, cut_at, work_after
from autotl.task import TaskKind
from autotl.training.adaptation import Adaptation
from autotl.training.plan import Plan
from autotl.versions import install_command

#: timm's families of plain vision transformers, whose layers call their linear layers as modules.
_VISION_TRANSFORMERS = ("vision_transformer", "deit", "eva")
#: Multiple of the rank that scales the product: its learning rate then holds for every rank.
_SCALE = 2
#: What the adapters add to the work of passing gradients.
_ADAPTERS = 0.05


@dataclass(frozen=True)
class LowRank(Adaptation):
    """Adapters of one rank train beside every linear layer, which stays as it is.

    Attributes:
        rank: Inner dimension of the adapters.
    """

    rank: int

    def attach(self, blocks: Sequence[nn.Module]) -> None:
        """Put an adapter on every linear layer; it adds zero until it is trained.

        Raises:
            MissingExtraError: peft is not installed.
            TrialError: The blocks have no linear layer.
        """
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingExtraError(
                "LoRA needs the package peft", hint=f"Install it: {install_command('train')}"
            ) from error
        network = nn.ModuleList(blocks)
        linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise TrialError("LoRA has nothing to adapt", found="no linear layer", expected="a transformer")
        config = LoraConfig(r=self.rank, lora_alpha=_SCALE * self.rank, target_modules=linear)
        inject_adapter_in_model(config, network)

    def trained(self, block: nn.Module) -> list[nn.Parameter]:
        """The adapters' matrices."""
        from peft.tuners.lora import LoraLayer

        layers = [module for module in block.modules() if isinstance(module, LoraLayer)]
        pairs = [(*layer.lora_A.parameters(), *layer.lora_B.parameters()) for layer in layers]
        return [matrix for pair in pairs for matrix in pair]

    def merge(self, blocks: Sequence[nn.Module]) -> None:
        """Add the products to the weights and put the linear layers back in their place."""
        from peft.tuners.lora import LoraLayer

        network = nn.ModuleList(blocks)
        for name, module in list(network.named_modules()):
            if isinstance(module, LoraLayer):
                module.merge()
                network.set_submodule(name, module.get_base_layer())


class LowRankAdapters(GradientStrategy):
    """Adapters and the head train in the blocks after a cut."""

    name = "lora"
    summary = "Trains low-rank adapters beside the linear layers of a transformer, and the head."

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Transformers: encoders of texts, and what timm counts among its vision transformers."""
        if info.modality == "text":
            return True
        from timm.models import is_model_in_modules

        architecture = str(info.extra.get("architecture") or info.reference)
        return bool(is_model_in_modules(architecture, _VISION_TRANSFORMERS))

    def own_parameters(self) -> dict[str, Domain]:
        """Rank of the adapters, and the share of the blocks that has none."""
        return {"rank": Choice((4, 8, 16), 8), "cut": Choice((0.0, 0.34, 0.5), 0.34)}

    def trained_share(self, config: TrialConfig) -> float:
        """Forward and backward through the blocks after the cut, with the gradients of thin matrices."""
        return (WITHOUT_WEIGHTS + _ADAPTERS) * work_after(float(config.get("cut", 0.34)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Adapters of the blocks from the cut on train."""
        cut = cut_at(float(config.get("cut", 0.34)), depth)
        return Plan(cut, (cut,), adaptation=LowRank(int(config.get("rank", 8))))


STRATEGY = LowRankAdapters()
