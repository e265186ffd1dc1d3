"""The protocol of a strategy: one way to transfer a backbone to a task, able to pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from autotl.config import Domain, EpochResult, TrialConfig

if TYPE_CHECKING:
    from torch import Tensor

    from autotl.backbones.backbone import BackboneInfo
    from autotl.task import TaskKind
    from autotl.training.model import TransferModel
    from autotl.training.workbench import Workbench


class Run(Protocol):
    """A trial under way. It keeps its best weights so far."""

    @property
    def done(self) -> bool:
        """Whether no further step is possible or worth it."""

    def step(self) -> EpochResult:
        """Train one epoch (or fit once) and score the validation part; ends at the bench's deadline.

        Raises:
            NonFiniteError: Loss or score is NaN or infinite.
        """

    @property
    def depth(self) -> int:
        """How many of the network's blocks the model runs, from the first; known after a step."""

    def model(self) -> TransferModel:
        """The model with the best weights so far, in eval mode, on the CPU."""

    def validation_outputs(self) -> Tensor:
        """Raw outputs (V, K) of the best weights on the validation rows."""

    def refit_config(self) -> TrialConfig:
        """The configuration with all that was chosen on validation made explicit.

        A run of it on training and validation rows together (no validation rows left) is the final fit.
        """

    @property
    def refit_share(self) -> float:
        """Share of the time of all steps so far that a run of `refit_config` takes on as many rows."""

    def state(self, *, resumable: bool = True) -> dict[str, Tensor]:
        """All that `Strategy.start` needs to go on from here; written as safetensors.

        Args:
            resumable: False leaves out what only further training needs.
        """


class Strategy(Protocol):
    """One way to transfer. A stateless object, exported as `STRATEGY` by its file."""

    name: str
    #: One sentence for the catalogue of strategies.
    summary: str

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Whether it can work on this backbone, for this kind of task."""

    def parameters(self, profile: Mapping[str, Any]) -> dict[str, Domain]:
        """Every parameter that it reads from `TrialConfig.params`, with its default domain.

        Args:
            profile: `DatasetProfile.to_json()`.
        """

    def cost(self, config: TrialConfig, macs: float, rows: int) -> float:
        """Predicted multiply-accumulates of the whole trial, features included; for ordering and budgets."""

    def start(self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None = None) -> Run:
        """Begin, or go on from `state`."""
