"""The training side of an export: decoded examples through the modality's graph and the torch model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.graph.convert import evaluating
from autotl.graph.session import open_session
from autotl.modalities.modality import Example, Feeds
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.registry import modality
from autotl.training.model import TransferModel

if TYPE_CHECKING:
    from autotl.backbones.backbone import Batch

Array = NDArray[Any]


def network_input(spec: PreprocessingSpec, examples: Sequence[Example]) -> Batch:
    """A network input of decoded examples that may share a batch."""
    kind = modality(spec.modality)
    feeds = kind.decoder(spec).collate(examples)
    graph = kind.graph(spec)
    if graph is not None:
        feeds = _run(open_session(graph), feeds)
    return {name: torch.from_numpy(value) for name, value in feeds.items()}


def torch_outputs(model: TransferModel, examples: Sequence[Example], batch_size: int = 16) -> Array:
    """What the torch model predicts for decoded examples.

    Args:
        model: The trained model, on the CPU.
        examples: Decoded examples of any shape.
        batch_size: Rows that run together.

    Returns:
        Probabilities (N, K) or values (N,) float32 in the order of `examples`.
    """
    kind = modality(model.spec.modality)
    decoder, graph = kind.decoder(model.spec), kind.graph(model.spec)
    if graph is not None:
        session = open_session(graph)
        prepared = [_run(session, decoder.collate([example])) for example in examples]
        examples = [{name: value[0] for name, value in feeds.items()} for feeds in prepared]
    order = sorted(range(len(examples)), key=lambda row: decoder.length(examples[row]))
    parts = []
    with torch.inference_mode(), evaluating(model):
        for start in range(0, len(order), batch_size):
            feeds = decoder.collate([examples[row] for row in order[start : start + batch_size]])
            batch = {name: torch.from_numpy(value) for name, value in feeds.items()}
            parts.append(model.predict(batch).float().numpy())
    return np.asarray(np.concatenate(parts)[np.argsort(order)])


def _run(session: Any, feeds: Feeds) -> Feeds:
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
