"""`Runs`: the run folders of a page, by name. The only way from a name to a path."""

from __future__ import annotations

from pathlib import Path

from autotl.errors import RunError, UnknownRunError
from autotl.search.event_log import EVENTS
from autotl.trial.run_folder import RunFolder

_RECORD = "run.json"


class Runs:
    """The run folders in a folder, or one run folder alone; looked up anew each time.

    Args:
        root: The folder.

    Raises:
        RunError: There is no such folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            raise RunError(
                "no such folder of runs",
                found=f"nothing at {root}" if not root.exists() else f"the file {root}",
                expected="a folder of run folders, such as runs/",
                hint="Start a run: autotl fit DATA --out runs/NAME",
            )

    def folders(self) -> dict[str, RunFolder]:
        """All runs by name; hidden folders, and names that are no text, are left out."""
        if _is_run(self.root):
            return {self.root.resolve().name: RunFolder(self.root)}
        found = sorted(path for path in self.root.iterdir() if path.is_dir() and _is_run(path))
        return {path.name: RunFolder(path) for path in found if _can_be_shown(path.name)}

    def find(self, name: str) -> RunFolder:
        """The run of a name.

        Raises:
            UnknownRunError: There is none.
        """
        try:
            return self.folders()[name]
        except KeyError:
            raise UnknownRunError("there is no such run", found=repr(name[:80])) from None


def file_of(run: RunFolder, name: str) -> Path:
    """A file of a run.

    Args:
        run: The run folder.
        name: One that the program knows, never what a client sent.

    Raises:
        UnknownRunError: There is none, or it is a link that leads out of the folder.
    """
    path = run.path / name
    if not path.is_file() or not path.resolve().is_relative_to(run.path.resolve()):
        raise UnknownRunError(f"this run has no {name}", hint="It is written when the run ends.")
    return path


def has_file(run: RunFolder, name: str) -> bool:
    """Whether `file_of` would give one."""
    try:
        file_of(run, name)
    except UnknownRunError:
        return False
    return True


def _is_run(path: Path) -> bool:
    return (path / _RECORD).is_file() or (path / EVENTS).is_file()


def _can_be_shown(name: str) -> bool:
    if name.startswith("."):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
