"""Writes the bundle: a folder that any process with ONNX Runtime can serve; read by `autotl.serve.bundle`.

It is made beside its place, verified there, and only then swapped in, so that a reader always finds a whole
bundle: the former one or the new one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Dataset
from autotl.errors import BundleError, ExportError, StorageError
from autotl.export.card import model_card
from autotl.export.onnx import output_names, to_graph
from autotl.export.swap import place_beside, swap_in
from autotl.export.verify import answers, prove_on
from autotl.graph.convert import made_with
from autotl.modalities.registry import modality
from autotl.profile.build import dataset_fingerprint
from autotl.serve.bundle import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MODEL,
    manifest_sha256,
    read_bundle,
    sha256_of,
)
from autotl.serve.manifest import read_object
from autotl.serve.monitoring.reference import KEY, Reference, read_reference
from autotl.serve.predictor import Predictor
from autotl.task import Task
from autotl.training.model import TransferModel
from autotl.versions import SERVING, versions

Array = NDArray[Any]

CARD, REQUIREMENTS = "README.md", "requirements.txt"
#: Where a manifest tells what its model was allowed to take.
LIMITS = "limits"
#: What file managers leave in a folder that was looked at; a fit is not to fail for it.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Bundle:
    """An exported model.

    Attributes:
        folder: Where it lies.
        manifest: The content of its `bundle.json`.
    """

    folder: Path
    manifest: Mapping[str, Any]


def export_bundle(
    model: TransferModel,
    dataset: Dataset,
    rows: Array,
    folder: str | Path,
    *,
    record: Mapping[str, Any] | None = None,
    verify_rows: int = 256,
) -> Bundle:
    """Export a model and prove that the export is faithful.

    Args:
        model: The trained model, on the CPU.
        dataset: The data that it was trained on.
        rows: Rows to verify on, the first ones first; the first also serves as an example for tracing.
        folder: Where to; a bundle that lies there, alone, is replaced.
        record: JSON-ready facts for the manifest and the card. Known keys: `metrics` (by part and name),
            `data` (merged into source, rows and fingerprint), `licence`; all others are kept as they are.
        verify_rows: Most rows to verify on; all of `rows` if fewer.

    Returns:
        The bundle, in its place.

    Raises:
        ExportError: The network cannot be exported; something else lies at `folder`, or in the bundle there.
        ParityError: The export does not give the model's answers; what lay at `folder` is untouched.
        StorageError: The disk is full or not writable; what lay at `folder` is untouched.
    """
    target = Path(folder).resolve()
    chosen = np.asarray(rows)[: max(1, verify_rows)]
    if len(chosen) == 0:
        raise ExportError("cannot export without an example", found="no rows", expected="at least one")
    with _replacing(target) as new:
        new.mkdir()
        manifest = _write(new, model, dataset, chosen, dict(record or {}))
    return Bundle(Path(folder), manifest)


def add_metrics(
    folder: Path, part: str, values: Mapping[str, float], *, reference: Reference | None = None
) -> None:
    """Record the scores of a part of the data in a bundle that is there, and in its card.

    Args:
        folder: The bundle.
        part: What was scored.
        values: Scores by name.
        reference: What `add_reference` adds, at the same time.

    Raises:
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    with rewriting(folder) as (new, manifest):
        manifest["metrics"][part] = dict(values)
        if reference is not None:
            manifest[KEY] = reference.write(new, Task.from_json(manifest["task"]))


def add_reference(folder: Path, reference: Reference) -> None:
    """Let a bundle that is there describe held-out rows, so that new ones can be compared with them.

    Raises:
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    with rewriting(folder) as (new, manifest):
        manifest[KEY] = reference.write(new, Task.from_json(manifest["task"]))


def add_limits(folder: Path, told: Mapping[str, Any]) -> None:
    """Record in a bundle that is there what its model was allowed to take, and what it takes.

    Args:
        folder: The bundle.
        told: "asked", the limits by name; "words", what it takes; "over", which limit it is over in words, or
            None.

    Raises:
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    with rewriting(folder) as (_, manifest):
        manifest[LIMITS] = dict(told)


def leave_out_rows(folder: Path) -> None:
    """Take embeddings of single rows out of a bundle that is there; moments and counts stay.

    Raises:
        BundleError: The bundle is malformed.
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    bundle = read_bundle(folder)
    if KEY in bundle.manifest:
        add_reference(folder, read_reference(bundle).without_rows())


def copy_bundle(folder: Path, target: Path) -> Path:
    """Copy the files of a bundle, and nothing else that lies in its folder; gives where it lies then.

    Raises:
        BundleError: It is incomplete or was changed.
        ExportError: Something lies there already.
    """
    if not _is_free(target):
        raise ExportError("cannot export there", found=f"{target} exists", expected="a new folder")
    bundle = read_bundle(folder)
    with _replacing(target.resolve()) as new:
        bundle.copy(new)
    return target


@contextmanager
def rewriting(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a copy of a bundle and its manifest; what is changed there takes its place, with a new card.

    Raises:
        BundleError: The bundle is incomplete or was changed: it is not for this to seal it anew.
        ExportError: Something else lies in its folder, which would be lost.
        StorageError: The disk is full or not writable; the bundle is as it was.
    """
    target = folder.resolve()
    bundle = read_bundle(target)
    with _replacing(target) as new:
        bundle.copy(new)
        manifest = json.loads((new / MANIFEST).read_text(encoding="utf-8"))
        yield new, manifest
        (new / CARD).write_text(model_card(manifest), encoding="utf-8")
        seal(new, manifest)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give the path of a folder that takes the place of a bundle when the block ends without error.

    Raises:
        ExportError: Something else lies there, before or after.
    """
    _refuse_foreign(target)
    new = place_beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield new
        _refuse_foreign(target)
        swap_in(new, target)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            "cannot write the bundle",
            found=f"{target} ({error.strerror})",
            hint="Free space, or choose --out.",
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    """Whether nothing lies there, or an empty folder."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _refuse_foreign(folder: Path) -> None:
    """Never replace what is no bundle, or what somebody has put into one."""
    if _is_free(folder):
        return
    listed = _listed(folder)
    others = sorted(path.name for path in folder.iterdir() if path.name not in listed) if listed else []
    if listed and not others:
        return
    shown = ", ".join(others[:_NAMES_SHOWN]) + (", ..." if len(others) > _NAMES_SHOWN else "")
    raise ExportError(
        "something else lies where the bundle should go",
        found=f"{shown} in {folder}" if others else str(folder),
        expected="nothing, an empty folder, or a bundle and nothing else",
        hint="Move it away." if others else "Choose another folder.",
    )


def _listed(folder: Path) -> set[str]:
    """What may lie in a bundle, by its manifest; nothing where it is none."""
    try:
        said = read_object(folder / MANIFEST).content
    except BundleError:
        return set()
    files = said.get("files")
    return {MANIFEST, *files, *_LITTER} if said.get("format") == FORMAT and isinstance(files, dict) else set()


def _write(
    folder: Path, model: TransferModel, dataset: Dataset, rows: Array, record: dict[str, Any]
) -> dict[str, Any]:
    """Fill a new folder; gives its manifest."""
    decoder = modality(model.spec.modality).decoder(model.spec)
    graph = to_graph(model, decoder.decode(dataset.items[rows[0]]))
    (folder / MODEL).write_bytes(graph.SerializeToString())
    for name, source in model.spec.assets.items():
        shutil.copyfile(source, folder / name)
    expected = answers(model, dataset, rows)
    expected.write(folder)
    manifest = _manifest(model, dataset, record)
    manifest["inputs"] = [value.name for value in graph.graph.input]
    manifest["graph"] = made_with(graph)
    seal(folder, manifest)
    manifest["parity"] = {MODEL: prove_on(Predictor(folder), expected, dataset, rows).to_json()}
    (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
    (folder / REQUIREMENTS).write_text(_requirements(manifest["versions"]), encoding="utf-8")
    seal(folder, manifest)
    return manifest


def _manifest(model: TransferModel, dataset: Dataset, record: dict[str, Any]) -> dict[str, Any]:
    info = model.backbone.info
    metrics, data = record.pop("metrics", {}), record.pop("data", {})
    data = {"source": dataset.source, "rows": len(dataset), **data}
    if "fingerprint" not in data and dataset.fingerprints:
        data["fingerprint"] = dataset_fingerprint(dataset, modality(dataset.modality))
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": model.task.to_json(),
        "preprocessing": model.spec.to_json(),
        "columns": list(dataset.columns),
        "inputs": [],
        "outputs": list(output_names(model.task)),
        "licence": record.pop("licence", info.licence),
        "backbone": {
            "name": info.name,
            "source": info.source,
            "reference": info.reference,
            "licence": info.licence,
            "pretraining": info.pretraining,
            "parameters": info.parameters,
            "languages": list(info.languages),
        },
        "temperature": model.temperature,
        "data": data,
        "metrics": metrics,
        "versions": versions(),
        "record": record,
    }


def _requirements(versions: Mapping[str, str]) -> str:
    pins = "".join(f"{name}=={versions[name]}\n" for name in SERVING if name in versions)
    own = f"# With these, autotl {versions.get('autotl', '')} itself: pip install PATH_OF_ITS_REPOSITORY"
    return f"{own}\n{pins}"


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with size and sha256 of every other file, and its own."""
    manifest["files"] = {
        path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    plain = json.loads(json.dumps(manifest, default=_plain))
    manifest["sha256"] = plain["sha256"] = manifest_sha256(plain)
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """JSON for the kinds of value that records carry besides JSON's own."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} in the record of a bundle is not JSON")
