"""A trained model as one ONNX graph: the modality's preprocessing, the network, and its two outputs."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from autotl.export.reference import network_input
from autotl.graph.compose import merge
from autotl.graph.convert import set_metadata, to_onnx
from autotl.modalities.modality import Example
from autotl.modalities.registry import modality
from autotl.serve.bundle import FEATURES
from autotl.task import Task, TaskKind
from autotl.training.model import TransferModel

if TYPE_CHECKING:
    import onnx

    from autotl.backbones.backbone import Batch


class ExportNetwork(nn.Module):
    """A model that gives its prediction and the features behind it.

    Args:
        model: The trained model.
    """

    def __init__(self, model: TransferModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities (B, K) or values (B,), and features (B, F); float32."""
        features = self.model.features(batch)
        raw = self.model.head(features)
        return self.model.outputs(raw).float(), features.float()


def output_names(task: Task) -> tuple[str, str]:
    """Names of the two outputs of an exported model."""
    return "values" if task.kind is TaskKind.REGRESSION else "probabilities", FEATURES


def to_graph(model: TransferModel, example: Example) -> onnx.ModelProto:
    """Convert a model with its preprocessing in front.

    Args:
        model: The trained model, on the CPU.
        example: A decoded example that the tracing runs on.

    Returns:
        A graph from collated decoded examples (images {"image": (B, H, W, 3) uint8}; texts token ids) to
        "probabilities" (B, K) or "values" (B,), and "features" (B, F).

    Raises:
        ExportError: The network is too large, or preprocessing and network do not fit.
    """
    with torch.no_grad():  # twice: the tracer would take a batch of one for a constant
        batch = network_input(model.spec, [example, example])
    graph = to_onnx(ExportNetwork(model), batch, output_names(model.task))
    before = modality(model.spec.modality).graph(model.spec)
    if before is not None:
        graph = merge(before, graph)
    set_metadata(
        graph,
        {
            "autotl_version": version("autotl"),
            "task": model.task.kind.value,
            "classes": json.dumps(list(model.task.classes), ensure_ascii=False),
            "preprocessing": json.dumps(model.spec.to_json()),
        },
    )
    return graph
