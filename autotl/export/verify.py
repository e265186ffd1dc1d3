"""Proves at export that a bundle gives the trained model's answers, from raw input to label."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autotl.data.dataset import Dataset
from autotl.errors import ParityError
from autotl.export.reference import torch_outputs
from autotl.modalities.registry import modality
from autotl.serve.evidence import Answers, raw_digest
from autotl.serve.parity import Parity, prove
from autotl.serve.predictor import Predictor
from autotl.training.model import TransferModel

Array = NDArray[Any]
_DECODING_THREADS = 4


def answers(model: TransferModel, dataset: Dataset, rows: Array) -> Answers:
    """What a model answers to raw rows by training's own way: its decoder, the modality's graph, torch.

    Args:
        model: The trained model, on the CPU.
        dataset: Where the rows come from.
        rows: Row numbers; at least 256 make good evidence.

    Raises:
        ParityError: There are no rows.
    """
    if not len(rows):
        raise ParityError("nothing to compare a bundle on", found="no rows", expected="at least one")
    items = [dataset.items[row] for row in rows]
    decoder = modality(model.spec.modality).decoder(model.spec)
    with ThreadPoolExecutor(_DECODING_THREADS) as pool:
        examples = list(pool.map(decoder.decode, items))
        digests = pool.map(lambda item: raw_digest(item, dataset.modality), items)
        return Answers(tuple(digests), torch_outputs(model, examples), model.target_scale)


def verify(model: TransferModel, folder: str | Path, dataset: Dataset, rows: Array) -> Parity:
    """Compare a bundle with the model that it was exported from.

    Args:
        model: The trained model, on the CPU.
        folder: The bundle.
        dataset: Where the rows come from.
        rows: Row numbers.

    Returns:
        The figures.

    Raises:
        ParityError: A label or value differs, by how much and where.
    """
    return prove_on(Predictor(folder), answers(model, dataset, rows), dataset, rows)


def prove_on(predictor: Predictor, expected: Answers, dataset: Dataset, rows: Array) -> Parity:
    """`prove` on rows of a data set."""
    chosen = dataset.take(rows)
    return prove(predictor, expected, chosen.items, chosen.names, chosen.targets)
