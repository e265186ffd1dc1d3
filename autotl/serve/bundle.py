"""Reads the folder of an exported model and checks that it is complete and unchanged.

    model.onnx          preprocessing and network in one graph
    raw.onnx            the same with decoding inside, see `autotl.serve.raw`; where it was asked for
    bundle.json         the manifest: everything below, the sha256 of every other file, and of itself
    parity.npz          what the trained network answered on some rows, for comparison elsewhere
    tokenizer.json      what decoding needs, where the modality needs something
    monitoring.npz      what held-out rows looked like, see `autotl.serve.monitoring`; not in every bundle
    README.md           the model card
    requirements.txt    what runs it

`autotl.export` writes it. Nothing here runs a model or imports torch. What else lies in the folder is no part
of the bundle, and is neither read nor copied.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autotl.errors import BundleError
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.serve.files import EXPORT_AGAIN, is_plain, own_file
from autotl.serve.manifest import Section, read_object
from autotl.task import Task, TaskKind, metrics

FORMAT = "autotl-bundle"
FORMAT_VERSION = 2
MANIFEST = "bundle.json"
MODEL = "model.onnx"
#: Name of the second output of every exported model.
FEATURES = "features"

#: Parts of a manifest that not every bundle has; each is an object.
_FURTHER = (
    *("backbone", "compression", "data", "graph", "metrics"),
    *("monitoring", "parity", "raw", "record", "versions"),
)


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle says of itself.

    Attributes:
        folder: Where it lies.
        task: What it predicts.
        spec: How raw inputs become the graph's inputs; its assets lie in `folder`.
        columns: Input columns of the table that it was trained on; empty for files.
        outputs: Names of the graph's outputs: "probabilities" or "values", then "features".
        files: Hexadecimal sha256 of each file by name, the manifest left out.
        manifest: The whole of `bundle.json`.
    """

    folder: Path
    task: Task
    spec: PreprocessingSpec
    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    files: Mapping[str, str]
    manifest: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.file(MODEL)

    def file(self, name: str) -> Path:
        """Where a file of the bundle lies; the one way to open it.

        Raises:
            BundleError: The manifest does not list it, so that nobody has checked it; it is gone, or a link.
        """
        if name not in self.files:
            raise _no_sha256(self.folder / MANIFEST, name)
        return own_file(self.folder / name)

    def section(self, name: str) -> Section | None:
        """A part of the manifest; None where the bundle has none."""
        said = Section(self.manifest, self.folder / MANIFEST)
        return said.section(name) if name in said else None

    def copy(self, target: Path) -> None:
        """Copy the manifest and the files that it lists into a new folder.

        Raises:
            BundleError: One of them is gone, or a link.
            OSError: The disk is full or not writable; something lies at `target`.
        """
        paths = [own_file(self.folder / MANIFEST), *(self.file(name) for name in self.files)]
        target.mkdir(parents=True)
        for path in paths:
            shutil.copyfile(path, target / path.name)


def read_bundle(folder: str | Path, *, check: bool = True) -> BundleInfo:
    """Read a bundle and check it.

    Args:
        folder: Folder with `bundle.json`.
        check: Also compare the sha256 of every file, the manifest's own included; presence is checked always.

    Returns:
        What it says of itself.

    Raises:
        BundleError: It is missing, malformed, of another format, incomplete, or a file was changed.
    """
    try:
        path = _locate(Path(folder))
    except OSError as error:
        raise BundleError("cannot read the bundle", found=f"{error.strerror}: {folder}") from error
    said = _read_manifest(path / MANIFEST, check=check)
    spec = _preprocessing(said.section("preprocessing"), path)
    files = _files(said.section("files"), (MODEL, *spec.assets))
    bundle = BundleInfo(
        folder=path,
        task=_task(said.section("task")),
        spec=spec,
        columns=said.texts("columns"),
        outputs=said.texts("outputs"),
        files=files,
        manifest=said.content,
    )
    for name, wanted in files.items():
        file = bundle.file(name)
        if check:
            _check_content(file, wanted)
    return bundle


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """Hexadecimal sha256 of what a manifest says, however it is written; its own "sha256" left out."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def previous_folder(folder: Path) -> Path:
    """Where the former bundle lies for the instant in which a new one takes its place."""
    return folder.with_name(f".{folder.name}.previous")


def _locate(folder: Path) -> Path:
    """The folder itself; its predecessor where a swap was cut off half-way."""
    if (folder / MANIFEST).is_file():
        return folder
    previous = previous_folder(folder.absolute())
    if not folder.exists() and (previous / MANIFEST).is_file():
        return previous
    if not folder.exists():
        hint = f"Paths are relative to {Path.cwd()}." if not folder.is_absolute() else EXPORT_AGAIN
        raise BundleError("no such bundle", found=f"nothing at {folder}", hint=hint)
    if not folder.is_dir():
        raise BundleError("not a bundle", found=f"the file {folder}", expected=f"a folder with {MANIFEST}")
    hint = f"Did you mean {folder / 'model'}?" if (folder / "model" / MANIFEST).is_file() else EXPORT_AGAIN
    raise BundleError("not a bundle", found=f"no {MANIFEST} in {folder}", hint=hint)


def _read_manifest(path: Path, *, check: bool) -> Section:
    said = read_object(path)
    if said.content.get("format") != FORMAT:
        raise BundleError(f"{path} is no manifest of a bundle", expected=f'"format": "{FORMAT}"')
    version = said.content.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"cannot read the bundle {path.parent}",
            found=f"format version {version!r:.40}",
            expected=f"version {FORMAT_VERSION}",
            hint="Upgrade: pip install --upgrade autotl"
            if isinstance(version, int) and version > FORMAT_VERSION
            else EXPORT_AGAIN,
        )
    digest = said.text("sha256")
    found = manifest_sha256(said.content)
    if check and found != digest:
        raise _changed(path, found, digest)
    for name in _FURTHER:
        if name in said:
            said.section(name)
    return said


def _task(said: Section) -> Task:
    kind = said.text("kind")
    if kind not in list(TaskKind):
        raise said.malformed("kind", ", ".join(TaskKind))
    task = Task(TaskKind(kind), said.texts("classes"), said.text("metric"))
    if not task.classes and task.kind is not TaskKind.REGRESSION:
        raise said.malformed("classes", "one class or more")
    if task.metric not in metrics(task.kind):
        raise said.malformed("metric", ", ".join(metrics(task.kind)))
    return replace(task, target=said.text("target")) if "target" in said else task


def _preprocessing(said: Section, folder: Path) -> PreprocessingSpec:
    assets = said.texts("assets")
    for name in assets:
        _check_name(said, name)
    return PreprocessingSpec(
        said.text("modality"), said.section("options").content, {name: folder / name for name in assets}
    )


def _files(said: Section, needed: Iterable[str]) -> dict[str, str]:
    """The sha256 of each file by its name."""
    for name in needed:
        if name not in said:
            raise _no_sha256(said.path, name)
    for name in said.content:
        _check_name(said, name)
    return {name: said.section(name).text("sha256") for name in said.content}


def _check_name(said: Section, name: str) -> None:
    """Refuse names that lead out of the bundle."""
    if not is_plain(name) or name == MANIFEST:
        raise BundleError(
            f"{said.path} names a file outside of the bundle",
            found=f"{name!r:.80}",
            expected="plain file names",
        )


def _check_content(path: Path, wanted: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}", found=error.strerror) from error
    if found != wanted:
        raise _changed(path, found, wanted)


def _no_sha256(path: Path, name: str) -> BundleError:
    return BundleError(f"{path} gives no sha256 of {name}", hint=EXPORT_AGAIN)


def _changed(path: Path, found: str, wanted: str) -> BundleError:
    return BundleError(
        f"{path} was changed after the export",
        found=f"sha256 {found[:16]}...",
        expected=f"{wanted[:16]}...",
        hint=EXPORT_AGAIN,
    )
