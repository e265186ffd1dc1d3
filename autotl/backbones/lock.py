"""`backbones.lock.json`: which revision of each hub file was downloaded, and its sha256.

Written at the first download and read at every later one; knows nothing of the hub.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from autotl.atomic import replacing
from autotl.backbones.cache_dir import cache_dir
from autotl.errors import BackboneError


@dataclass(frozen=True)
class LockEntry:
    """One file as it was when first downloaded.

    Attributes:
        revision: The hub's commit hash.
        sha256: Of the file's bytes.
    """

    revision: str
    sha256: str


def lock_path() -> Path:
    """The lock file in the cache folder."""
    return cache_dir() / "backbones.lock.json"


def read_lock() -> dict[str, LockEntry]:
    """All entries by "repository/file"; none where nothing was downloaded yet.

    Raises:
        BackboneError: The lock file is not what autotl wrote.
    """
    path = lock_path()
    if not path.exists():
        return {}
    try:
        return {key: LockEntry(**entry) for key, entry in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BackboneError(
            "cannot read the lock file of downloads",
            found=f"{path} ({error})",
            expected="JSON as autotl wrote it",
            hint=f"Remove it to record the next downloads anew: rm {path}",
        ) from error


def locked_revision(repository: str) -> str | None:
    """The revision of the repository's files downloaded so far, so that all come from one commit."""
    for key, entry in read_lock().items():
        if key.rpartition("/")[0] == repository:
            return entry.revision
    return None


def record(key: str, entry: LockEntry) -> None:
    """Add one entry, keeping the others, those that another process is adding too."""
    path = lock_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".busy")), replacing(path) as temporary:
        entries = {**read_lock(), key: entry}
        content = {name: asdict(value) for name, value in sorted(entries.items())}
        temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
