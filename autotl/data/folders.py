"""Reads folders: class folders with or without official parts, and finds the tables of a folder.

Links are followed, loops are cut. Hidden files and what operating systems leave behind are not data.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from autotl.data.dataset import PART_NAMES, PARTS, Finding
from autotl.data.labels import natural_key
from autotl.data.rows import Rows, plural, some
from autotl.data.tables import READERS
from autotl.errors import DataError
from autotl.modalities.modality import Modality

_DEBRIS = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"})
_LAYOUTS = "class folders, train/ val/ test/ of class folders, or a table such as train.csv"


def find_tables(folder: Path) -> dict[str, Path]:
    """The tables that make up the data set of a folder: by part, or one under "".

    Several tables without a `train` among them are nobody's data set; so is a single table beside two or
    more class folders. An empty result means: read the folder as class folders.

    Raises:
        DataError: Two files claim one part, or there are several tables and none is `train`.
    """
    tables = [path for path in _entries(folder) if path.is_file() and path.suffix.lower() in READERS]
    parts: dict[str, Path] = {}
    for path in tables:
        part = PART_NAMES.get(path.stem.lower())
        if part in parts:
            raise DataError(
                f"two tables for the part '{part}' in {folder.name}/",
                found=f"{parts[part].name} and {path.name}",
                expected="one",
                hint="Move one of them away.",
            )
        if part is not None:
            parts[part] = path
    if "train" in parts:
        return {part: parts[part] for part in PARTS if part in parts}
    class_folders = [path for path in _entries(folder) if path.is_dir()]
    if not tables or len(class_folders) > 1:
        return {}
    if len(tables) > 1:
        raise DataError(
            f"cannot tell which table of {folder.name}/ to train on",
            found=", ".join(path.name for path in tables),
            expected="train.csv, or a single table",
            hint=f"Name one: autotl fit {folder / tables[0].name}",
        )
    return {"": tables[0]}


def unused_tables(folder: Path, used: Mapping[str, Path]) -> tuple[Finding, ...]:
    """A finding on tables of the folder that are no part of the data set."""
    names = [
        path.name
        for path in _entries(folder)
        if path.is_file() and path.suffix.lower() in READERS and path not in used.values()
    ]
    if not names:
        return ()
    count = plural(len(names), "table")
    return (Finding("unused_table", "info", f"{count} left aside: {some(names)}.", tuple(names)),)


def read_class_folders(folder: Path, kinds: Mapping[str, Modality]) -> Rows:
    """Read a folder of class folders; official parts are folders called train, val, test or alike.

    Args:
        folder: An existing folder.
        kinds: The modalities that may be met, by name.

    Raises:
        DataError: The folder is empty, or holds no inputs of these modalities.
    """
    root = _unwrap(folder)
    subfolders = [path for path in _entries(root) if path.is_dir()]
    parts = {path: PART_NAMES[path.name.lower()] for path in subfolders if path.name.lower() in PART_NAMES}
    if "train" not in parts.values():
        if parts and len(parts) == len(subfolders):
            raise DataError(
                f"no training part in {root.name}/",
                found=some([f"{path.name}/" for path in subfolders]),
                expected="train/ beside them, or class folders",
            )
        return _with_modality(root, [(root, "")], kinds)
    pieces = sorted(parts.items(), key=lambda piece: PARTS.index(piece[1]))
    rows = _with_modality(root, pieces, kinds)
    aside = [path.name for path in subfolders if path not in parts]
    if not aside:
        return rows
    message = f"{plural(len(aside), 'folder')} beside the official parts left aside: {some(aside)}."
    return replace(rows, findings=(*rows.findings, Finding("unused_folder", "info", message, tuple(aside))))


def _with_modality(root: Path, pieces: list[tuple[Path, str]], kinds: Mapping[str, Modality]) -> Rows:
    files = [
        (path, class_folder.name, part)
        for base, part in pieces
        for class_folder in _entries(base)
        if class_folder.is_dir()
        for path in _walk(class_folder, frozenset({_identity(root), _identity(base)}))
    ]
    loose = [path for base, _ in pieces for path in _entries(base) if path.is_file()]
    kind = _modality_of([path for path, _, _ in files], kinds)
    if kind is None:
        raise _nothing_found(root, [path for path, _, _ in files], loose, kinds)
    chosen = [entry for entry in files if entry[0].suffix.lower() in kind.extensions]
    findings = _left_out([path for path, _, _ in files if path.suffix.lower() not in kind.extensions], root)
    findings += _left_out(loose, root)
    return Rows(
        modality=kind.name,
        items=[path for path, _, _ in chosen],
        labels=[label for _, label, _ in chosen],
        names=[path.relative_to(root).as_posix() for path, _, _ in chosen],
        parts=[part for _, _, part in chosen],
        are_classes=True,
        findings=findings,
    )


def _modality_of(paths: list[Path], kinds: Mapping[str, Modality]) -> Modality | None:
    """The modality whose endings most files have."""
    endings = Counter(path.suffix.lower() for path in paths)
    votes = {name: sum(endings[e] for e in kind.extensions) for name, kind in kinds.items()}
    best = max(votes, key=lambda name: votes[name], default=None)
    return kinds[best] if best is not None and votes[best] else None


def _nothing_found(
    root: Path, paths: list[Path], loose: list[Path], kinds: Mapping[str, Modality]
) -> DataError:
    wanted = sorted({ending for kind in kinds.values() for ending in kind.extensions})
    if not paths and not loose:
        return DataError(f"the folder {root.name}/ holds no data", found="no files", expected=_LAYOUTS)
    if not paths:
        return DataError(
            f"the folder {root.name}/ holds no class folders",
            found=f"{plural(len(loose), 'file')} ({some([path.name for path in loose], 3)})",
            expected=_LAYOUTS,
            hint="Put the files of each class into a folder named after it.",
        )
    endings = Counter(path.suffix.lower() or "(none)" for path in paths).most_common(3)
    return DataError(
        f"no file in {root.name}/ is an input of a known kind",
        found=", ".join(f"{count} {ending}" for ending, count in endings),
        expected=", ".join(wanted) or "a table",
    )


def _left_out(paths: list[Path], root: Path) -> tuple[Finding, ...]:
    if not paths:
        return ()
    names = [path.relative_to(root).as_posix() for path in paths]
    message = f"{plural(len(names), 'file')} of other kinds left aside: {some(names, 3)}."
    return (Finding("ignored_file", "info", message, tuple(names[:1000])),)


def _unwrap(folder: Path) -> Path:
    """Step into a lone folder that holds several: `archive/flowers/{rose,tulip}`."""
    entries = _entries(folder)
    if len(entries) == 1 and entries[0].is_dir() and entries[0].name.lower() not in PART_NAMES:
        inner = [path for path in _entries(entries[0]) if path.is_dir()]
        if len(inner) > 1 or any(path.name.lower() in PART_NAMES for path in inner):
            return entries[0]
    return folder


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order, without hidden files and debris."""
    visible = [
        Path(entry.path)
        for entry in os.scandir(folder)
        if not entry.name.startswith(".") and entry.name.lower() not in _DEBRIS
    ]
    return sorted(visible, key=lambda path: natural_key(path.name))


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All files below a folder; a folder that is its own ancestor through a link is not entered again."""
    here = _identity(folder)
    if here in above:
        return
    for path in _entries(folder):
        if path.is_dir():
            yield from _walk(path, above | {here})
        elif path.is_file():
            yield path
