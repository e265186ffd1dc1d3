"""A second graph beside `model.onnx`, with decoding or the tokenizer inside, for clients without autotl.

It needs onnxruntime-extensions wherever it runs, whose operators decode nearly as the training did: JPEG and
PNG without EXIF, and WordPiece as BERT has it. How nearly is measured on the rows whose answers the bundle
holds, and a graph that decides otherwise on more than a few of them is refused.
"""

from __future__ import annotations

import importlib.metadata
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.errors import ExportError, ParityError
from autotl.export.bundle import rewriting, seal
from autotl.graph.compose import merge
from autotl.modalities.modality import SupportsRawGraph
from autotl.modalities.registry import modality
from autotl.serve.bundle import MODEL, read_bundle
from autotl.serve.parity import MORE_FLIPS, Answers, Parity, prove
from autotl.serve.raw import RAW, RawGraph

if TYPE_CHECKING:
    from autotl.data.dataset import Dataset

#: Where a manifest tells of it.
KEY = "raw"
_NEEDS = "onnxruntime-extensions"


def add_raw_graph(folder: Path, dataset: Dataset) -> str:
    """Add the second graph to a bundle, in place of one that is there.

    Args:
        folder: The bundle.
        dataset: The data that it was made from, to compare on.

    Returns:
        What came of it, in one line.

    Raises:
        ExportError: The modality, or this tokenizer, has no such graph; no row is known to compare on.
        DecodeError: A row has no form that it takes: several texts.
        MissingExtraError: onnxruntime-extensions is not installed.
        ParityError: It decides too many rows otherwise.
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    import onnx

    bundle = read_bundle(folder)
    kind = modality(bundle.spec.modality)
    if not isinstance(kind, SupportsRawGraph):
        raise ExportError(f"no graph decodes inputs of the modality {kind.name}")
    rows, expected = Answers.read(bundle.folder).among(dataset.items, dataset.modality)
    if not len(rows):
        raise ExportError(
            f"nothing to compare {RAW} on",
            found="none of the rows whose answers the bundle holds",
            expected="the data that it was made from, unchanged",
        )
    known = dataset.take(rows)
    with rewriting(folder) as (new, manifest):
        whole = merge(kind.raw_graph(bundle.spec), onnx.load(new / MODEL))
        (new / RAW).write_bytes(whole.SerializeToString())
        seal(new, manifest)
        graph = RawGraph(read_bundle(new))
        parity = prove(graph, expected, known.items, known.names, known.targets, exact=False)
        _check(parity)
        manifest["parity"][RAW] = parity.to_json()
        needs = f"{_NEEDS}=={importlib.metadata.version(_NEEDS)}"
        manifest[KEY] = {"input": kind.raw_input, "needs": [needs]}
    return (
        f"{RAW} takes {kind.raw_input!r} and decides {parity.label_flips} of {parity.rows} rows otherwise, "
        f"largest difference {parity.largest_difference:.2g}"
    )


def drop_raw_graph(folder: Path, manifest: dict[str, Any]) -> None:
    """Take it out of a bundle that is rewritten: its network is no longer that of the bundle."""
    (folder / RAW).unlink(missing_ok=True)
    manifest.pop(KEY, None)
    manifest["parity"].pop(RAW, None)


def _check(parity: Parity) -> None:
    allowed = max(2, math.ceil(MORE_FLIPS * parity.rows))
    if parity.label_flips > allowed:
        raise ParityError(
            f"{RAW} decodes too differently",
            found=f"{parity.label_flips} of {parity.rows} rows are decided otherwise",
            expected=f"at most {allowed}",
            hint="Leave out --raw, and decode as training did: autotl.load, or autotl serve.",
        )
