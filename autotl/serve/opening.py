"""Opens a bundle: its manifest, what decodes its inputs, and a session on its graph, which fit each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from autotl.errors import BundleError, DataError, MissingExtraError
from autotl.modalities.modality import Decoder
from autotl.modalities.registry import modality
from autotl.serve.bundle import FEATURES, MANIFEST, BundleInfo, read_bundle
from autotl.serve.files import EXPORT_AGAIN
from autotl.serve.onnx_file import refuse_other_files
from autotl.serve.session import failures, first_line
from autotl.task import TaskKind

_ATTEMPTS = 5
_DISTRIBUTIONS = {"PIL": "Pillow"}
#: ONNX Runtime's names of the types that outputs may have.
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_SHOWN = 300
#: What a decoder may make of options that it does not expect.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


class Opened(NamedTuple):
    """A bundle that was opened; `session` is ONNX Runtime's."""

    bundle: BundleInfo
    decoder: Decoder
    session: Any


def open_bundle(folder: Path, opens: Callable[[Path], Any], *, check: bool) -> Opened:
    """Open a bundle, once more if another took its place meanwhile.

    Args:
        folder: Its folder.
        opens: Opens a session on an ONNX file.
        check: Whether every file's sha256 is compared with the manifest.

    Raises:
        BundleError: It is missing, malformed or incomplete, or was changed.
        MissingExtraError: A package that decoding needs is not installed.
    """
    for _ in range(_ATTEMPTS - 1):
        before = _identity(folder)
        try:
            return _open(folder, opens, check)
        except BundleError:
            if _identity(folder) == before:
                raise
    return _open(folder, opens, check)


def missing(error: ModuleNotFoundError) -> MissingExtraError:
    """The error that tells how to install the package that decoding lacks."""
    package = (error.name or "").partition(".")[0]
    name = _DISTRIBUTIONS.get(package, package)
    return MissingExtraError(
        "a package that decoding needs is not installed", found=name, hint=f"Install it: pip install {name}"
    )


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder lies there at the moment."""
    try:
        stat = (folder / MANIFEST).stat()
    except (OSError, ValueError):
        return None
    return stat.st_ino, stat.st_mtime_ns


def _open(folder: Path, opens: Callable[[Path], Any], check: bool) -> Opened:
    bundle = read_bundle(folder, check=check)
    opened = Opened(bundle, _decoder(bundle), _session(bundle, opens))
    _check_outputs(opened)
    return opened


def _decoder(bundle: BundleInfo) -> Decoder:
    try:
        kind = modality(bundle.spec.modality)
    except ModuleNotFoundError as error:
        raise missing(error) from error
    except DataError as error:
        raise BundleError(
            f"cannot decode inputs for the bundle {bundle.folder}",
            found=str(error)[:_SHOWN],
            hint="Install the package that brings this modality.",
        ) from error
    try:
        return kind.decoder(bundle.spec)
    except ModuleNotFoundError as error:
        raise missing(error) from error
    except BundleError:
        raise
    except _MALFORMED as error:
        raise BundleError(
            f"{bundle.folder / MANIFEST} does not say how inputs are decoded",
            found=f"{type(error).__name__}: {error}"[:_SHOWN],
            expected=f"the options and assets of the modality {kind.name}",
            hint=EXPORT_AGAIN,
        ) from error


def _session(bundle: BundleInfo, opens: Callable[[Path], Any]) -> Any:
    path = bundle.model
    refuse_other_files(path)
    try:
        return opens(path)
    except failures(UnicodeDecodeError) as error:  # a message can quote names that are no text
        raise BundleError(f"ONNX Runtime cannot open {path}", found=first_line(error)) from error


def _check_outputs(opened: Opened) -> None:
    """Refuse a graph that does not give what the manifest says, as far as it declares that."""
    bundle, task = opened.bundle, opened.bundle.task
    try:
        given = {value.name: value for value in opened.session.get_outputs()}
    except UnicodeDecodeError as error:
        raise BundleError(f"{bundle.model} is malformed", found=first_line(error)) from error
    wanted = bundle.outputs
    if len(wanted) == 2 and wanted[1] == FEATURES and set(wanted) <= set(given):
        primary = () if task.kind is TaskKind.REGRESSION else (task.outputs,)
        if _gives(given[wanted[0]], primary) and _gives(given[FEATURES], (None,)):
            return
    shown = ", ".join(f"{name} {value.shape} {value.type}" for name, value in given.items())
    raise BundleError(
        f"{bundle.model} does not fit its manifest",
        found=f"outputs {shown}"[:_SHOWN],
        expected=f"{' and '.join(wanted)}, of {task.outputs} numbers a row"[:_SHOWN],
    )


def _gives(value: Any, edges: tuple[int | None, ...]) -> bool:
    """Whether an output is declared to hold rows of numbers, of such edges; None and open ones fit any."""
    if value.type not in _FLOATS or len(value.shape) != len(edges) + 1:
        return False
    pairs = zip(value.shape[1:], edges, strict=True)
    return all(edge in (None, found) or not isinstance(found, int) for found, edge in pairs)
