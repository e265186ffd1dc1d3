"""`Batcher`: decoded examples of many requests run together, and each request gets its own rows back.

The rule: the oldest example that waits always runs next, with up to `batch_items - 1` others of like
length. While a batch runs, what arrives gathers; an idle runner starts at once, unless further inputs are
being decoded just then: for those it waits at most the delay. It knows no HTTP, and no model but a function
from examples to arrays.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.modalities.modality import Example
from autotl.serve.batches import batches

Array = NDArray[Any]
Run = Callable[[Sequence[Example]], Sequence[Array]]

_log = logging.getLogger(__name__)
#: Batches' worth of waiting examples among which those of like length are looked for.
_WINDOW_BATCHES = 8


@dataclass(eq=False)
class _Ticket:
    """One submission: its rows so far, and the future that is done when all are there."""

    rows: list[list[Array] | None]
    missing: int
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def put(self, row: int, outputs: list[Array]) -> None:
        self.rows[row] = outputs
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(eq=False, slots=True)
class _Waiting:
    """One example in the queue."""

    ticket: _Ticket
    row: int
    example: Example
    length: tuple[int, ...]
    bytes: int
    since: float


class Batcher:
    """Gathers examples into batches and runs them one after the other. Belongs to one event loop.

    Args:
        run: Examples that can be collated to arrays with a row for each; called in one thread.
        length: `Decoder.length`.
        ragged: `Decoder.ragged`.
        batch_items: Most examples of a batch.
        delay_seconds: Longest wait for inputs that are being decoded.
        queue_bytes: Decoded bytes beyond which `room` waits.
        observe: Called after each batch with its examples, outputs and seconds, in the runner's thread.
    """

    def __init__(
        self,
        run: Run,
        length: Callable[[Example], tuple[int, ...]],
        *,
        ragged: bool,
        batch_items: int,
        delay_seconds: float,
        queue_bytes: int,
        observe: Callable[[Sequence[Example], Sequence[Array], float], None],
    ) -> None:
        self._run, self._length, self._ragged = run, length, ragged
        self._batch_items, self._delay, self._queue_bytes = batch_items, delay_seconds, queue_bytes
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._runner = ThreadPoolExecutor(1, "autotl-run")
        self._task: asyncio.Task[None] | None = None
        #: Inputs that are on their way: waiting for a decoder, or in it.
        self.expected = 0

    def start(self) -> None:
        """Begin to run what arrives."""
        self._task = asyncio.get_running_loop().create_task(self._serve())

    async def stop(self) -> None:
        """End; what still waits fails."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in self._queue:
            waiting.ticket.fail(RuntimeError("the server stops"))
        self._runner.shutdown()

    @property
    def runs(self) -> bool:
        """Whether what arrives is run."""
        return self._task is not None and not self._task.done()

    async def room(self) -> None:
        """Wait until decoded inputs take less memory than the limit."""
        while self._bytes >= self._queue_bytes:
            self._drained.clear()
            await self._drained.wait()

    async def submit(self, examples: Sequence[Example]) -> list[Array]:
        """Run examples with those of others.

        Returns:
            The arrays that `run` gives, with a row an example, in order.
        """
        if not self.runs:
            raise RuntimeError("the batcher does not run")
        ticket = _Ticket([None] * len(examples), len(examples))
        now = time.monotonic()
        for row, example in enumerate(examples):
            size = sum(value.nbytes for value in example.values())
            self._queue.append(_Waiting(ticket, row, example, self._length(example), size, now))
            self._bytes += size
        self._changed.set()
        try:
            await ticket.done
        finally:
            if ticket.missing:  # given up, or failed: its examples need not run
                self._forget(ticket)
        rows = [row for row in ticket.rows if row is not None]
        return [np.stack(parts) for parts in zip(*rows, strict=True)]

    def _forget(self, ticket: _Ticket) -> None:
        kept = [waiting for waiting in self._queue if waiting.ticket is not ticket]
        self._queue = deque(kept)
        self._bytes = sum(waiting.bytes for waiting in kept)
        self._drained.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._queue:
                self._changed.clear()
                await self._changed.wait()
            await self._linger()
            batch = self._take()
            if not batch:
                continue
            outcomes = await loop.run_in_executor(self._runner, self._outcomes, batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    waiting.ticket.fail(outcome)
                else:
                    waiting.ticket.put(waiting.row, outcome)

    async def _linger(self) -> None:
        """Wait for inputs that are being decoded, while the batch has room and the oldest has time."""
        while self.expected and 0 < len(self._queue) < self._batch_items:
            left = self._queue[0].since + self._delay - time.monotonic()
            if left <= 0:
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return

    def _take(self) -> list[_Waiting]:
        """Take the batch of the oldest example from the queue."""
        window = list(islice(self._queue, _WINDOW_BATCHES * self._batch_items))
        if not window:
            return []
        lengths = [waiting.length for waiting in window]
        found = batches(lengths, self._batch_items, ragged=self._ragged)
        chosen = set(next(rows for rows in found if 0 in rows))
        for _ in window:
            self._queue.popleft()
        self._queue.extendleft(window[row] for row in reversed(range(len(window))) if row not in chosen)
        batch = [window[row] for row in sorted(chosen)]
        self._bytes -= sum(waiting.bytes for waiting in batch)
        self._drained.set()
        return batch

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[list[Array] | Exception]:
        """Outputs by example; where a batch fails, each runs alone, so that one cannot fail the others."""
        start = time.perf_counter()
        try:
            outputs = self._run([waiting.example for waiting in batch])
            rows = [[output[row] for output in outputs] for row in range(len(batch))]
        except Exception as error:  # whatever the runtime raises belongs to the requests, not to the loop
            if len(batch) > 1:
                return [outcome for waiting in batch for outcome in self._outcomes([waiting])]
            _log.error("the model failed on an input", exc_info=error)
            return [error]
        self._observe([waiting.example for waiting in batch], outputs, time.perf_counter() - start)
        return list(rows)
