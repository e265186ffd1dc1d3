"""What a bundle knows of the trained network: its answers to some rows, and what comparing with them gave.

The answers lie in `parity.npz`, beside digests of the raw inputs; the certificates stand in the manifest. How
to compare with them is told in `parity`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import BundleError, DataError
from autotl.modalities.modality import Item
from autotl.modalities.registry import modality
from autotl.serve.arrays import read_arrays
from autotl.serve.bundle import MODEL, BundleInfo
from autotl.serve.files import EXPORT_AGAIN
from autotl.task import TaskKind

Array = NDArray[Any]

ANSWERS = "parity.npz"
#: Part of the manifest with a certificate of each graph.
CERTIFICATES = "parity"
_ARRAYS = ("digests", "outputs", "scale")


@dataclass(frozen=True)
class Answers:
    """What the trained network answered.

    Attributes:
        digests: N sha256 of raw inputs, hexadecimal.
        outputs: Probabilities (N, K) or values (N,), float32.
        scale: Deviation of a regression target, from which differences of values count.
    """

    digests: tuple[str, ...]
    outputs: Array
    scale: float = 1.0

    def write(self, folder: Path) -> None:
        """Keep it in a bundle."""
        np.savez_compressed(
            folder / ANSWERS, digests=np.array(self.digests), outputs=self.outputs, scale=self.scale
        )

    @classmethod
    def read(cls, bundle: BundleInfo) -> Answers:
        """Read those of a bundle.

        Raises:
            BundleError: It has none, or they are malformed.
        """
        if ANSWERS not in bundle.files:
            raise _no_evidence(bundle, f"no {ANSWERS}")
        path = bundle.file(ANSWERS)
        arrays = read_arrays(path)
        digests, outputs, scale = (arrays.get(name, np.empty((0, 0, 0))) for name in _ARRAYS)
        rows = (
            digests.shape
            if bundle.task.kind is TaskKind.REGRESSION
            else (*digests.shape, bundle.task.outputs)
        )
        kinds = "".join(array.dtype.kind for array in (digests, outputs, scale))
        if digests.ndim != 1 or outputs.shape != rows or scale.shape != () or kinds not in ("Uff", "Ufi"):
            found = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in arrays.items())
            raise BundleError(
                f"{path} is malformed",
                found=found[:200],
                expected=f"{', '.join(_ARRAYS)} of the same rows",
                hint=EXPORT_AGAIN,
            )
        return cls(tuple(map(str, digests)), outputs.astype(np.float32), float(scale))

    def among(self, items: Sequence[Item], kind: str) -> tuple[Array, Answers]:
        """Which items are rows of it: their numbers (M,), and the answers to them.

        Args:
            items: Raw inputs.
            kind: Name of their modality.
        """
        place = {digest: row for row, digest in enumerate(self.digests)}
        found = [(number, place.pop(raw_digest(item, kind), None)) for number, item in enumerate(items)]
        numbers = [number for number, row in found if row is not None]
        rows = [row for _, row in found if row is not None]
        kept = Answers(tuple(self.digests[row] for row in rows), self.outputs[rows], self.scale)
        return np.array(numbers, np.int64), kept


@dataclass(frozen=True)
class Certificate:
    """What comparing a graph with the trained network gave at its export, as far as later comparisons ask.

    Attributes:
        label_flips: Decisions that differed.
        is_exact: Whether its answers had to be the same; not those of a graph of lower precision, or with
            another decoding.
        rows: Rows that were compared; None where it does not tell.
        largest_difference: That of `Parity`; None where it does not tell.
    """

    label_flips: int
    is_exact: bool = False
    rows: int | None = None
    largest_difference: float | None = None

    @classmethod
    def read(cls, bundle: BundleInfo, graph: str = MODEL) -> Certificate:
        """That of a graph of a bundle.

        Raises:
            BundleError: It has none, or it is malformed.
        """
        said = bundle.section(CERTIFICATES)
        if said is None or graph not in said:
            raise _no_evidence(bundle, f"no certificate of {graph}")
        certificate = said.section(graph)
        is_exact = certificate.content.get("tolerance") is not None
        if is_exact:
            certificate.number("tolerance")
        rows = certificate.integer("rows") if "rows" in certificate else None
        if rows is not None and rows < 1:
            raise certificate.malformed("rows", "one row or more")
        told = "largest_difference" in certificate
        largest = certificate.number("largest_difference") if told else None
        return cls(certificate.integer("label_flips"), is_exact, rows, largest)


def raw_digest(item: Item, kind: str) -> str:
    """Hexadecimal sha256 of a raw input: of a file's bytes, of texts, else of what the modality decodes.

    Raises:
        DataError: The file cannot be read.
        DecodeError: The item is none of the modality's.
    """
    if isinstance(item, Path):
        try:
            content = item.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {item}", found=error.strerror) from error
    elif isinstance(item, (bytes, bytearray)):
        content = bytes(item)
    elif isinstance(item, str):
        content = item.encode("utf-8", "surrogatepass")
    elif isinstance(item, tuple):
        content = "\x1f".join(map(str, item)).encode("utf-8", "surrogatepass")
    else:
        return modality(kind).fingerprint(item)
    return hashlib.sha256(content).hexdigest()


def _no_evidence(bundle: BundleInfo, found: str) -> BundleError:
    return BundleError(
        "the bundle does not tell what the trained network answered",
        found=f"{found} in {bundle.folder}",
        hint=EXPORT_AGAIN,
    )
