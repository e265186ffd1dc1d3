"""Reads the folder of an exported model and checks that it is complete and unchanged.

    model.onnx          preprocessing and network in one graph
    raw.onnx            the same with decoding inside, see `autotl.serve.raw`; where it was asked for
    bundle.json         the manifest: everything below, the sha256 of every other file, and of itself
    parity.npz          what the trained network answered on some rows, for comparison elsewhere
    tokenizer.json      what decoding needs, where the modality needs something
    monitoring.npz      what held-out rows looked like, see `autotl.serve.monitoring`; not in every bundle
    README.md           the model card
    requirements.txt    what runs it

`autotl.export` writes it. Nothing here runs a model or imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotl.errors import BundleError
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.task import Task

FORMAT = "autotl-bundle"
FORMAT_VERSION = 2
MANIFEST = "bundle.json"
MODEL = "model.onnx"
#: Name of the second output of every exported model.
FEATURES = "features"

_EXPORT_AGAIN = "Export it again: autotl export RUN"
_REQUIRED = {
    "format_version": int,
    "task": dict,
    "preprocessing": dict,
    "columns": list,
    "outputs": list,
    "files": dict,
    "sha256": str,
}


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle says of itself.

    Attributes:
        folder: Where it lies.
        task: What it predicts.
        spec: How raw inputs become the graph's inputs; its assets lie in `folder`.
        columns: Input columns of the table that it was trained on; empty for files.
        outputs: Names of the graph's outputs: "probabilities" or "values", then "features".
        manifest: The whole of `bundle.json`.
    """

    folder: Path
    task: Task
    spec: PreprocessingSpec
    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    manifest: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL


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
    path = _locate(Path(folder))
    manifest = _read_manifest(path / MANIFEST, check=check)
    files = manifest["files"]
    for name in [MODEL, *manifest["preprocessing"]["assets"], *files]:
        _check_name(name, path)
        if name not in files:
            raise BundleError(f"{path / MANIFEST} gives no sha256 of {name}", hint=_EXPORT_AGAIN)
    for name, entry in files.items():
        _check_file(path / name, entry, check=check)
    try:
        task = Task.from_json(manifest["task"])
        spec = PreprocessingSpec.from_json(manifest["preprocessing"], path)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path / MANIFEST} is malformed", found=f"{type(error).__name__}: {error}", hint=_EXPORT_AGAIN
        ) from error
    columns = tuple(str(name) for name in manifest["columns"])
    return BundleInfo(path, task, spec, columns, tuple(str(name) for name in manifest["outputs"]), manifest)


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
        raise BundleError("no such bundle", found=f"nothing at {folder}", hint=_EXPORT_AGAIN)
    if not folder.is_dir():
        raise BundleError("not a bundle", found=f"the file {folder}", expected=f"a folder with {MANIFEST}")
    hint = f"Did you mean {folder / 'model'}?" if (folder / "model" / MANIFEST).is_file() else _EXPORT_AGAIN
    raise BundleError("not a bundle", found=f"no {MANIFEST} in {folder}", hint=hint)


def _read_manifest(path: Path, *, check: bool) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
        digest = manifest_sha256(manifest) if isinstance(manifest, dict) else ""
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path} is malformed", found=str(error), hint=_EXPORT_AGAIN) from error
    except OSError as error:
        raise BundleError(f"cannot read {path}", found=error.strerror) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} is no manifest of a bundle", expected=f'"format": "{FORMAT}"')
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"cannot read the bundle {path.parent}",
            found=f"format version {version!r}",
            expected=f"version {FORMAT_VERSION}",
            hint="Upgrade: pip install --upgrade autotl"
            if isinstance(version, int) and version > FORMAT_VERSION
            else _EXPORT_AGAIN,
        )
    for name, kind in _REQUIRED.items():
        if not isinstance(manifest.get(name), kind):
            raise BundleError(
                f"{path} is malformed",
                found=f"{name} = {manifest.get(name)!r}",
                expected=kind.__name__,
                hint=_EXPORT_AGAIN,
            )
    if not isinstance(manifest["preprocessing"].get("assets"), list):
        raise BundleError(f"{path} is malformed", expected="a list preprocessing.assets", hint=_EXPORT_AGAIN)
    if check and digest != manifest["sha256"]:
        raise _changed(path, digest, manifest["sha256"])
    return manifest


def _check_name(name: object, folder: Path) -> None:
    """Refuse names that lead out of the bundle."""
    plain = isinstance(name, str) and Path(name).name == name and "\\" not in name and "\0" not in name
    if not plain or name in ("", ".", "..", MANIFEST):
        raise BundleError(
            f"{folder / MANIFEST} names a file outside of the bundle",
            found=repr(name),
            expected="plain file names",
        )


def _check_file(path: Path, entry: object, *, check: bool) -> None:
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise BundleError(f"{path} leads out of the bundle", found=f"a link to {path.resolve()}")
    if not path.is_file():
        raise BundleError("the bundle is incomplete", found=f"no file {path}", hint=_EXPORT_AGAIN)
    wanted = entry.get("sha256") if isinstance(entry, dict) else None
    if not isinstance(wanted, str):
        raise BundleError(f"{path.parent / MANIFEST} gives no sha256 of {path.name}", hint=_EXPORT_AGAIN)
    if not check:
        return
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}", found=error.strerror) from error
    if found != wanted:
        raise _changed(path, found, wanted)


def _changed(path: Path, found: str, wanted: str) -> BundleError:
    return BundleError(
        f"{path} was changed after the export",
        found=f"sha256 {found[:16]}...",
        expected=f"{wanted[:16]}...",
        hint=_EXPORT_AGAIN,
    )
