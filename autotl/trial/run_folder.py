"""The run folder: where everything that a search leaves lies on disk.

    run.json            what was asked, versions, hardware, data fingerprint, splits, outcome
    journal.log         the Optuna study
    profile.json        `DatasetProfile`
    space.json          the space that was searched; a resumed run uses it again
    splits.npz          arrays train, val, test
    trials/0007/        result.json, model.safetensors, validation.npy (raw outputs)
    leaderboard.csv, leaderboard.json, report.html
    model/              the bundle

Every file is written whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotl.atomic import replacing
from autotl.config import TrialResult
from autotl.errors import RunError, StorageError


class RunFolder:
    """Paths of a run, and atomic reading and writing of its JSON files."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def journal(self) -> Path:
        """The Optuna journal."""
        return self.path / "journal.log"

    @property
    def bundle(self) -> Path:
        """The exported winner."""
        return self.path / "model"

    def trial(self, number: int) -> Path:
        """Folder of a trial."""
        return self.path / "trials" / f"{number:04d}"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "run.json").is_file()

    def create(self) -> None:
        """Make the folder.

        Raises:
            StorageError: It cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise StorageError(
                "cannot write the run folder",
                found=f"{self.path} ({error.strerror})",
                hint="Choose another with --out.",
            ) from error

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of the run.

        Raises:
            RunError: The file is missing or malformed.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            raise RunError(
                "not a run folder", found=f"no {name} in {self.path}", hint="Start one: autotl fit DATA"
            ) from None
        except json.JSONDecodeError as error:
            raise RunError(f"{path} is malformed", found=str(error)) from error

    def write_json(self, name: str, value: Mapping[str, Any] | list[Any]) -> None:
        """Write a JSON file atomically."""
        with replacing(self.path / name) as path:
            path.write_text(json.dumps(value, indent=1) + "\n")

    def write_result(self, result: TrialResult) -> None:
        """Record a finished trial."""
        self.trial(result.number).mkdir(parents=True, exist_ok=True)
        self.write_json(f"trials/{result.number:04d}/result.json", result.to_json())

    def results(self) -> list[TrialResult]:
        """All finished trials by number."""
        paths = sorted((self.path / "trials").glob("*/result.json"))
        return [TrialResult.from_json(json.loads(path.read_text())) for path in paths]
