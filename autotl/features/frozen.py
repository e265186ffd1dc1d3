"""`FrozenPart`: features and activations of a frozen backbone over a data set, computed once and kept.

Everything that does not change during training is asked for here, by row; what is missing is computed in
batches of like length by the fastest engine, and stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.backbones.backbone import Backbone, Batch
from autotl.features.arrays import FilledArray, RaggedArray, RowArray, check_room, has_room
from autotl.features.engines import Engine, FrozenNetwork, fastest_engine, torch_engine
from autotl.features.inputs import PreparedInputs
from autotl.features.record import MachineRecord
from autotl.features.turns import turn
from autotl.modalities.modality import Modality

Array = NDArray[Any]
Report = Callable[[int, int], None]


#: Fewer rows do not win back the time that converting the network and timing the engines take.
_ROWS_WORTH_TIMING = 256
#: Activations beyond this are not kept: the frozen blocks then run at each step.
_MOST_HIDDEN_BYTES, _HIDDEN_TYPE = 8 * 2**30, np.float16
_LARGEST_HIDDEN = float(np.finfo(_HIDDEN_TYPE).max)
#: Rows are brought to the disk that often: a kill costs no more than they took.
_COMMIT_SECONDS = 1.0


@dataclass(frozen=True)
class View:
    """One version of every input: the plain one, or a random augmentation that is kept.

    Attributes:
        index: 0 is the plain one.
        strength: Augmentation of the others.
    """

    index: int = 0
    strength: str = "none"

    @property
    def name(self) -> str:
        """Name used in files."""
        return "plain" if self.index == 0 else f"{self.strength}{self.index}"


PLAIN = View()


class FrozenPart:
    """A frozen backbone over the rows of a data set.

    Args:
        backbone: The network, in eval mode.
        inputs: Its inputs.
        modality: Augments them for views other than the plain one.
        rows: N, rows of the data set.
        folder: Where arrays are kept; another one where data, weights or preprocessing differ. Processes may
            share it: one at a time computes rows.
        device: Where torch runs.
        threads: Threads of the engine.
        record: Which engine won before.
        batch_size: Rows a batch.
        report: Called with (rows done, rows to do) while features are computed.
    """

    def __init__(
        self,
        backbone: Backbone,
        inputs: PreparedInputs,
        modality: Modality,
        rows: int,
        folder: Path,
        *,
        device: torch.device,
        threads: int | None,
        record: MachineRecord,
        batch_size: int = 16,
        report: Report | None = None,
    ) -> None:
        self.backbone = backbone
        self.inputs = inputs
        self._modality = modality
        self._rows = rows
        self._folder = folder
        self._device = device
        self._threads = threads
        self._record = record
        self._batch_size = batch_size
        self._report = report
        self._pace = MachineRecord(folder / "seconds.json")
        self._pace_key = f"a row, threads={threads} device={device.type}"
        #: Seconds that decoding one row and running the whole network took, when last measured (maybe by an
        #: earlier run), without the choice of an engine.
        self.seconds_a_row = float(self._pace.get(self._pace_key) or 0.0)
        self._engines: dict[tuple[int, tuple[int, ...], bool], Engine] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._arrays: dict[tuple[str, View], RowArray | RaggedArray] = {}

    def pooled(
        self, rows: Array, depths: Sequence[int], view: View = PLAIN, *, capture: Sequence[int] = ()
    ) -> Array:
        """Pooled features of some depths, concatenated, (n, F) float32.

        Args:
            rows: Row numbers, in any order.
            depths: Depths from 1 to D.
            view: Which version of the inputs.
            capture: Depths whose activations are wanted later: kept in the same pass.
        """
        backbone = self.backbone
        array = self._pooled_array(view)
        self._fill(array.missing(np.unique(rows)), view, backbone.depth, tuple(sorted(capture)), True)
        widths = [backbone.feature_dim(depth) for depth in range(1, backbone.depth + 1)]
        offsets = np.concatenate([[0], np.cumsum(widths)])
        columns = [slice(int(offsets[d - 1]), int(offsets[d])) for d in depths]
        return np.concatenate([array.read(rows, wanted) for wanted in columns], axis=1)

    def missing(self, rows: Array, view: View = PLAIN, cut: int | None = None) -> int:
        """How many of the rows have no pooled features yet, or no activations after `cut` blocks."""
        array = self._pooled_array(view) if cut is None else self._hidden_array(cut, view, rows)
        return len(array.missing(np.unique(rows)))

    def cached(self, rows: Array) -> Array:
        """Those of the rows that have pooled features of the plain inputs."""
        return np.setdiff1d(rows, self._pooled_array(PLAIN).missing(np.unique(rows)))

    def pass_seconds(self, rows: Array, view: View = PLAIN, cut: int | None = None) -> float:
        """Expected seconds to compute what is missing, at most; 0 before any pass was timed."""
        return self.seconds_a_row * self.missing(rows, view, cut)

    def prepare(self, rows: Array, cut: int, view: View = PLAIN) -> None:
        """Make sure that the activations after `cut` blocks are there (or the inputs, for cut 0)."""
        rows = np.unique(rows)
        if cut == 0:
            self.inputs.prepare(rows)
        elif len(rows):
            self._fill(self._hidden_array(cut, view, rows).missing(rows), view, cut, (cut,), False)

    def hidden(self, rows: Array, cut: int, view: View = PLAIN) -> Batch:
        """Hidden batch at depth `cut` of prepared rows, on the CPU; the network's inputs for cut 0."""
        if cut == 0:
            return self.inputs.batch(rows)
        values = torch.from_numpy(self._hidden_array(cut, view, rows).read(rows))
        if not self.inputs.ragged:
            return {"hidden": values}
        lengths = torch.from_numpy(self.inputs.lengths(rows))
        mask = torch.arange(values.shape[1])[None, :] < lengths[:, None]
        return {"hidden": values, "attention_mask": mask.long()}

    def can_keep(self, rows: Array, cut: int, views: int = 1) -> bool:
        """Whether activations are few enough to be kept, and the disk holds them.

        Args:
            rows: Row numbers.
            cut: They are those after so many blocks; 0 needs nothing.
            views: How many versions of the inputs there are.
        """
        if cut == 0 or len(rows) == 0:
            return True
        rows = np.unique(rows)
        whole = self._hidden_bytes(rows, cut)
        if views * whole > _MOST_HIDDEN_BYTES:
            return False
        missing = self._hidden_array(cut, PLAIN, rows).missing(rows)
        return has_room(self._folder, self._hidden_bytes(missing, cut) + (views - 1) * whole)

    # --- filling ---------------------------------------------------------------------------------------

    def _fill(self, rows: Array, view: View, stop: int, capture: tuple[int, ...], pooled: bool) -> None:
        """Compute rows that are missing, unless another process does so first."""
        if len(rows) == 0:
            return
        capture = tuple(depth for depth in capture if 0 < depth <= stop)
        targets = [self._pooled_array(view)] if pooled else []
        stores = [*targets, *(self._hidden_array(depth, view, rows) for depth in capture)]
        with turn(self._folder / "fill.lock", lambda: len(stores[0].missing(rows))):
            rows = stores[0].missing(rows)
            check_room(self._folder, sum(store.bytes_of(rows) for store in stores))
            try:
                if len(rows):
                    self._compute(rows, view, stop, capture, pooled, stores)
            finally:
                for store in stores:
                    store.commit()
                self._leave_device()

    def _compute(
        self,
        rows: Array,
        view: View,
        stop: int,
        capture: tuple[int, ...],
        pooled: bool,
        stores: Sequence[FilledArray],
    ) -> None:
        """Run the network on rows, and store what it gives in `stores`, in order."""
        begun = committed = time.perf_counter()
        done, choosing = 0, 0.0

        def visit(chunk: Array, batch: Batch) -> None:
            nonlocal done, choosing, committed
            asked = time.perf_counter()
            engine = self._engine(stop, capture, pooled, batch, len(rows))
            choosing += time.perf_counter() - asked
            augmented = self._augmented(batch, view, chunk)
            values = engine(augmented)
            if not all(np.isfinite(value).all() for value in values):  # half precision ends at 65,504
                engine = self._engines[stop, capture, pooled] = self._plain_engine(stop, capture, pooled)
                values = engine(augmented)
            for store, value in zip(stores, _storable(values, pooled), strict=True):
                store.write(chunk, value)
            if time.perf_counter() - committed > _COMMIT_SECONDS:
                for store in stores:
                    store.commit()
                committed = time.perf_counter()
            done += len(chunk)
            if self._report is not None:
                self._report(done, len(rows))

        self.inputs.batches(self.inputs.by_length(rows), self._batch_size, visit)
        if stop == self.backbone.depth and (len(rows) >= _ROWS_WORTH_TIMING or not self.seconds_a_row):
            self.seconds_a_row = (time.perf_counter() - begun - choosing) / len(rows)
            self._pace.put(self._pace_key, self.seconds_a_row)

    def _augmented(self, batch: Batch, view: View, rows: Array) -> Batch:
        """A view of a batch; each row by itself, so that it does not depend on what was asked for with it."""
        if view.index == 0:
            return batch
        changed = {name: values.clone() for name, values in batch.items()}
        lengths = self.inputs.lengths(rows) if self.inputs.ragged else None
        for i, row in enumerate(rows):
            own = slice(None) if lengths is None else slice(int(lengths[i]))
            seed = int(np.random.SeedSequence([view.index, int(row)]).generate_state(1)[0])
            generator = torch.Generator().manual_seed(seed)
            one = {name: values[i : i + 1, own] for name, values in batch.items()}
            for name, values in self._modality.augment(one, view.strength, generator).items():
                changed[name][i : i + 1, own] = values
        return changed

    def _engine(self, stop: int, capture: tuple[int, ...], pooled: bool, batch: Batch, rows: int) -> Engine:
        key = (stop, capture, pooled)
        if key not in self._engines:
            if rows < _ROWS_WORTH_TIMING:
                return self._plain_engine(stop, capture, pooled)
            network = FrozenNetwork(self.backbone, stop, capture, pooled).eval()
            self._engines[key] = fastest_engine(
                network,
                batch,
                device=self._device,
                threads=self._threads,
                record=self._record,
                key=f"{self.backbone.info.name} {self.inputs.spec.key} {stop} threads={self._threads} "
                f"device={self._device.type}",
            )
        return self._engines[key]

    def _plain_engine(self, stop: int, capture: tuple[int, ...], pooled: bool) -> Engine:
        return torch_engine(FrozenNetwork(self.backbone, stop, capture, pooled), self._device)

    def _leave_device(self) -> None:
        """Take the network off a GPU, whose memory is needed for other things."""
        if self._device.type != "cpu":
            self._engines.clear()
            self.backbone.module.cpu()

    # --- arrays ----------------------------------------------------------------------------------------

    def _pooled_array(self, view: View) -> RowArray:
        key = ("pooled", view)
        if key not in self._arrays:
            width = sum(self.backbone.feature_dim(d) for d in range(1, self.backbone.depth + 1))
            path = self._folder / f"pooled-{view.name}"
            self._arrays[key] = RowArray(path, self._rows, (width,), np.float32)
        array = self._arrays[key]
        assert isinstance(array, RowArray)
        return array

    def _hidden_array(self, cut: int, view: View, rows: Array) -> RowArray | RaggedArray:
        key = (f"hidden{cut}", view)
        if key not in self._arrays:
            shape = self._hidden_shape(cut, rows[:1])
            path = self._folder / f"hidden{cut}-{view.name}"
            if self.inputs.ragged:
                lengths = self.inputs.lengths(np.arange(self._rows))
                self._arrays[key] = RaggedArray(path, lengths, shape[-1], _HIDDEN_TYPE)
            else:
                self._arrays[key] = RowArray(path, self._rows, shape, _HIDDEN_TYPE)
        return self._arrays[key]

    def _hidden_bytes(self, rows: Array, cut: int) -> int:
        """What the activations of some rows take on the disk, a view; asked without making a file of them."""
        if len(rows) == 0:
            return 0
        shape = self._hidden_shape(cut, rows[:1])
        vector_bytes = np.dtype(_HIDDEN_TYPE).itemsize * (
            shape[-1] if self.inputs.ragged else math.prod(shape)
        )
        return int(self.inputs.lengths(rows).sum()) * vector_bytes

    def _hidden_shape(self, cut: int, row: Array) -> tuple[int, ...]:
        """Shape of one row's activations after `cut` blocks; the first axis may be its own."""
        if cut not in self._shapes:
            batch = {name: value.to(self._device) for name, value in self.inputs.batch(row).items()}
            self.backbone.module.to(self._device)
            with torch.inference_mode():
                self._shapes[cut] = tuple(self.backbone.run(batch, 0, cut)["hidden"].shape[1:])
            self._leave_device()
        return self._shapes[cut]


def _storable(values: Sequence[Array], pooled: bool) -> list[Array]:
    """What a network gives as it is kept: activations beyond half precision become its largest number."""
    first = int(pooled)
    return [*values[:first], *(np.clip(v, -_LARGEST_HIDDEN, _LARGEST_HIDDEN) for v in values[first:])]
