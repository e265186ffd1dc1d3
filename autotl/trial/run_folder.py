"""The run folder: where everything that a search leaves lies on disk.

    run.json            what was asked, versions, hardware, data fingerprint, outcome
    journal.log         the Optuna study
    events.jsonl        what the run told as it went on, a JSON object a line; see `autotl.search.event_log`
    profile.json        `DatasetProfile`
    space.json          the space that was searched; a resumed run uses it again
    splits.npz          arrays train, val, test
    trials/0007/        result.json, model.safetensors, validation.npy (raw outputs); while the trial is
                        paused, checkpoint.safetensors
    combinations.json   ensembles and means of weights that were made of trials, and what they scored
    test_predictions.npz  targets and predictions of the test part, names and content hashes of its rows
    examples.npz        features of rows that the winner was fitted on, see `autotl.serve.explain.neighbours`
    embedding.npz       a map of rows by their features, and whose labels are doubtful
    leaderboard.csv, leaderboard.json, report.html
    model/              the bundle
    teacher.npz         outputs of the winner on all rows, where a smaller network was to learn from it
    predecessor.*       network taken over from an earlier run, if one was; its facts; prints of its rows
    .owner              the process that searches here, so that no second one does

Every file is written whole or not at all, but for the journal and the events, which are appended to.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.atomic import replacing
from autotl.config import TrialResult
from autotl.data.dataset import Splits
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

    @property
    def predecessor(self) -> Path:
        """The network that was taken over from an earlier run."""
        return self.path / "predecessor.safetensors"

    @property
    def predecessor_rows(self) -> Path:
        """Fingerprints of all rows that the network taken over has been fitted on, as "learnt"."""
        return self.path / "predecessor.rows.json"

    def trial(self, number: int) -> Path:
        """Folder of a trial."""
        return self.path / "trials" / f"{number:04d}"

    def checkpoint(self, number: int) -> Path:
        """What a paused trial needs to go on; deleted when it has ended."""
        return self.trial(number) / "checkpoint.safetensors"

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
            raise _unwritable(self.path, error) from error

    @contextmanager
    def created(self) -> Iterator[None]:
        """Make the folder; where it is new and the block fails before anything lies in it, remove it again.

        Raises:
            StorageError: It cannot be written.
        """
        is_new = not self.path.exists()
        self.create()
        try:
            yield
        except BaseException:
            if is_new:
                with suppress(OSError):  # not empty
                    self.path.rmdir()
            raise

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of the run, an object.

        Raises:
            RunError: The file is missing or malformed.
        """
        path = self.path / name
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            if self.exists():
                raise RunError(
                    "the run folder has lost a file",
                    found=f"no {path}",
                    hint="Begin a new run with another --out.",
                ) from None
            raise RunError(
                "not a run folder", found=f"no {name} in {self.path}", hint="Start one: autotl fit DATA"
            ) from None
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path} is malformed", found=str(error)) from error
        if not isinstance(value, dict):
            raise RunError(f"{path} is malformed", found=type(value).__name__, expected="an object")
        return value

    def record(self, *keys: str) -> dict[str, Any]:
        """What `run.json` says, with these keys for sure.

        Raises:
            RunError: There is none, or it lacks a key.
        """
        record: dict[str, Any] = self.read_json("run.json")
        missing = [key for key in keys if key not in record]
        if missing:
            raise RunError(
                f"{self.path / 'run.json'} is malformed",
                found=f"no {', '.join(missing)}",
                hint="Begin a new run with another --out.",
            )
        return record

    def write_splits(self, splits: Splits) -> None:
        """Record which rows belong to which part."""
        self.write_arrays("splits.npz", train=splits.train, val=splits.val, test=splits.test)

    def write_arrays(self, name: str, **arrays: NDArray[Any]) -> None:
        """Write an archive of arrays (.npz) atomically."""
        with replacing(self.path / name) as path, path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def read_splits(self) -> Splits:
        """The parts that `write_splits` recorded.

        Raises:
            RunError: They are missing or malformed.
        """
        path = self.path / "splits.npz"
        try:
            with np.load(path, allow_pickle=False) as saved:
                return Splits(saved["train"], saved["val"], saved["test"])
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            reason = f"no {path.name}" if isinstance(error, FileNotFoundError) else "no arrays of rows"
            raise RunError(
                f"cannot read {path}", found=reason, hint="Begin a new run with another --out."
            ) from error

    def write_outputs(self, number: int, raw: NDArray[np.float32]) -> None:
        """Keep a trial's raw outputs (V, K) on the validation rows."""
        self.trial(number).mkdir(parents=True, exist_ok=True)
        with replacing(self.trial(number) / "validation.npy") as path, path.open("wb") as file:
            np.save(file, raw, allow_pickle=False)

    def write_json(self, name: str, value: Mapping[str, Any] | list[Any]) -> None:
        """Write a JSON file atomically."""
        with replacing(self.path / name) as path:
            path.write_text(json.dumps(value, indent=1) + "\n")

    def write_result(self, result: TrialResult) -> None:
        """Record a finished trial."""
        self.trial(result.number).mkdir(parents=True, exist_ok=True)
        self.write_json(f"trials/{result.number:04d}/result.json", result.to_json())

    def forget(self, number: int) -> None:
        """Delete the record of a trial."""
        (self.trial(number) / "result.json").unlink(missing_ok=True)

    def result(self, number: int) -> TrialResult | None:
        """What a trial has left so far, None where that is nothing."""
        try:
            text = (self.trial(number) / "result.json").read_text()
        except FileNotFoundError:
            return None
        return TrialResult.from_json(json.loads(text))

    def results(self) -> list[TrialResult]:
        """All finished trials by number."""
        paths = sorted((self.path / "trials").glob("*/result.json"))
        return [self._result(path) for path in paths]

    def _result(self, path: Path) -> TrialResult:
        content = self.read_json(str(path.relative_to(self.path)))
        try:
            return TrialResult.from_json(content)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{path} is malformed",
                found=f"{type(error).__name__}: {error}",
                hint=f"To do without this trial, delete the folder {path.parent}",
            ) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make the first of `path`, `path-2`, ... that nobody else has made; removed again where it stays empty.

    Raises:
        StorageError: It cannot be written.
    """
    while True:
        made = free_folder(path)
        try:
            made.mkdir(parents=True)
        except FileExistsError:
            continue  # another process was faster
        except OSError as error:
            raise _unwritable(made, error) from error
        break
    try:
        yield made
    finally:
        with suppress(OSError):  # not empty
            made.rmdir()


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "cannot write the run folder",
        found=f"{path} ({error.strerror})",
        hint="Choose another with --out.",
    )


def free_folder(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, ... that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
