"""A second graph beside `model.onnx`, with decoding or the tokenizer inside, for clients without autotl.

It needs onnxruntime-extensions wherever it runs, whose operators decode nearly as the training did: JPEG and
PNG without EXIF, and WordPiece as BERT has it. How nearly is measured on the rows whose answers the bundle
holds, and a graph that decides otherwise on more than a few of them is refused.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.errors import ExportError, ParityError
from autotl.export.bundle import rewriting, seal
from autotl.graph.compose import merge
from autotl.modalities.modality import SupportsRawGraph
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.registry import modality
from autotl.serve.bundle import MODEL, read_bundle
from autotl.serve.evidence import Answers
from autotl.serve.parity import MORE_FLIPS, MOST_OFF, Parity
from autotl.serve.raw import KEY, RAW, RawGraph, prove_raw
from autotl.serve.session import open_session
from autotl.task import Task, TaskKind

if TYPE_CHECKING:
    import onnx

    from autotl.data.dataset import Dataset

_NEEDS = "onnxruntime-extensions"


def add_raw_graph(folder: Path, dataset: Dataset) -> str:
    """Add the second graph to a bundle, in place of one that is there.

    Args:
        folder: The bundle.
        dataset: The data that it was made from, to compare on.

    Returns:
        What came of it, in one line.

    Raises:
        ExportError: There is no such graph, see `raw_graph`; no row is known to compare on.
        MissingExtraError: onnxruntime-extensions is not installed.
        ParityError: It decides too many rows otherwise, or its values are far off.
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    import onnx

    bundle = read_bundle(folder)
    first = raw_graph(bundle.spec, bundle.columns)
    rows, expected = Answers.read(bundle).among(dataset.items, dataset.modality)
    if not len(rows):
        raise ExportError(
            f"nothing to compare {RAW} on",
            found="none of the rows whose answers the bundle holds",
            expected="the data that it was made from, unchanged",
        )
    taken = first.graph.input[0].name
    with rewriting(folder) as (new, manifest):
        (new / RAW).write_bytes(merge(first, onnx.load(new / MODEL)).SerializeToString())
        seal(new, manifest)
        parity = prove_raw(RawGraph(read_bundle(new)), expected, dataset.take(rows))
        _check(parity, bundle.task)
        manifest["parity"][RAW] = parity.to_json()
        manifest[KEY] = {"input": taken, "needs": [f"{_NEEDS}=={importlib.metadata.version(_NEEDS)}"]}
    return (
        f"{RAW} takes {taken!r} and decides {parity.label_flips} of {parity.rows} rows otherwise, "
        f"largest difference {parity.largest_difference:.2g}"
    )


def raw_graph(spec: PreprocessingSpec, columns: Sequence[str]) -> onnx.ModelProto:
    """The decoding of a bundle's inputs as a graph that runs here.

    Args:
        spec: How they are decoded.
        columns: Columns of the table that they came from; none for files.

    Raises:
        ExportError: The modality, or this tokenizer, has none; it would take several texts.
        MissingExtraError: onnxruntime-extensions is not installed.
    """
    kind = modality(spec.modality)
    if not isinstance(kind, SupportsRawGraph):
        raise ExportError(f"no graph decodes inputs of the modality {kind.name}")
    if len(columns) > 1:
        raise ExportError(
            f"{RAW} would have to take several inputs", found=", ".join(columns), expected="one column"
        )
    graph = kind.raw_graph(spec)
    open_session(graph, threads=1, extensions=True)
    return graph


def drop_raw_graph(folder: Path, manifest: dict[str, Any]) -> None:
    """Take it out of a bundle that is rewritten: its network is no longer that of the bundle."""
    (folder / RAW).unlink(missing_ok=True)
    manifest.pop(KEY, None)
    manifest["parity"].pop(RAW, None)


def _check(parity: Parity, task: Task) -> None:
    """Refuse a graph that decodes too differently."""
    allowed = max(2, math.ceil(MORE_FLIPS * parity.rows))
    is_far = task.kind is TaskKind.REGRESSION and parity.largest_difference > MOST_OFF
    if parity.label_flips <= allowed and not is_far:
        return
    found = f"{parity.label_flips} of {parity.rows} rows are decided otherwise"
    raise ParityError(
        f"{RAW} decodes too differently",
        found=f"a value is {parity.largest_difference:.2g} off" if is_far else found,
        expected=f"at most {MOST_OFF if is_far else allowed}",
        hint="Leave out --raw, and decode as training did: autotl.load, or autotl serve.",
    )
