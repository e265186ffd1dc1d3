"""Prepared inputs are decoded ahead of whoever visits them."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import numpy as np

from autotl.features.inputs import PreparedInputs
from autotl.testing.workbench import tiny_dataset


class Watched:
    """A decoder of whole numbers that tells which of them it has decoded."""

    ragged = False

    def __init__(self, items):
        self.decoded = [Event() for _ in items]

    def decode(self, item):
        self.decoded[item].set()
        return {"value": np.array(item)}

    def collate(self, examples):
        return {"value": np.stack([example["value"] for example in examples])}


def test_the_next_batch_is_decoded_while_the_present_one_is_visited(tmp_path):
    items = list(range(7))
    decoder, visited = Watched(items), []
    modality = SimpleNamespace(decoder=lambda spec: decoder, graph=lambda spec: None)
    dataset = replace(tiny_dataset("text", rows=7), items=items)
    inputs = PreparedInputs(dataset, modality, None, tmp_path, threads=1)

    def visit(rows, batch):
        assert batch["value"].tolist() == rows.tolist()
        visited.extend(rows)
        following = items[rows[-1] + 1 :][:3]
        assert all(decoder.decoded[item].wait(20) for item in following), "it waits for this visit to end"

    inputs.batches(np.arange(7), 3, visit)
    assert visited == items
