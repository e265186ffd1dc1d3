"""`Service`: what the routes share. Items in, outputs out, within the limits."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request

from autotl.cores import usable_cores
from autotl.errors import DataError, DeadlineError, DecodeError, TooLargeError
from autotl.modalities.modality import Example, Item, SupportsExtent
from autotl.modalities.registry import modality
from autotl.serve.http.batching import Batcher
from autotl.serve.http.body import read_body
from autotl.serve.http.contract import Contract, contract_of
from autotl.serve.http.limits import Gate, Hold
from autotl.serve.http.metrics import Metrics
from autotl.serve.http.settings import Settings
from autotl.serve.predictor import Predictor, SupportsDecodingMany

Array = NDArray[Any]
#: Is told of every batch: decoded examples, then probabilities or values, and features. Runs in the model's
#: thread between two batches, so it must be quick.
Observer = Callable[[Sequence[Example], Sequence[Array]], None]
Result = TypeVar("Result")

_log = logging.getLogger(__name__)
_DECODING_THREADS = 4
_TEXTS_TOGETHER = 32
#: Bodies from this size on are taken apart in a thread, so that the loop goes on. A smaller one takes two
#: milliseconds at its worst, whatever it is made of.
_LARGE_BYTES = 4 * 1024
_LONGEST_WAIT_SECONDS = 30


class Service:
    """A bundle that is being served. Made before the event loop, started in it.

    Args:
        settings: How.
        predictor: The opened bundle; opened from the settings where None.
    """

    def __init__(self, settings: Settings, predictor: Predictor | None = None) -> None:
        threads = settings.threads or max(1, usable_cores() // settings.workers)
        self.settings, self.limits = settings, settings.limits
        self.predictor = predictor or Predictor(settings.bundle, threads=threads, device=settings.device)
        self.contract: Contract = contract_of(settings.name, self.predictor)
        self.gate = Gate(self.limits)
        self.metrics = Metrics()
        self.observers: list[Observer] = []
        self._decoding_threads = min(_DECODING_THREADS, threads)
        self._modality = modality(self.predictor.bundle.spec.modality)
        self._seconds_an_item = 0.0

    async def start(self) -> None:
        """Start the threads."""
        decoder = self.predictor.decoder
        self._decoders = ThreadPoolExecutor(self._decoding_threads, "autotl-decode")
        self._turn = asyncio.Semaphore(self._decoding_threads)
        self.batcher = Batcher(
            self.predictor.run_batch,
            decoder.length,
            ragged=decoder.ragged,
            batch_items=self.settings.batch_items,
            delay_seconds=self.settings.delay_ms / 1000,
            queue_bytes=self.limits.queue_bytes,
            observe=self._observe,
        )
        self.batcher.start()

    async def stop(self) -> None:
        """End them; requests are over by then."""
        await self.batcher.stop()
        self._decoders.shutdown(cancel_futures=True)

    @property
    def is_ready(self) -> bool:
        """Whether inputs are being run."""
        return self.batcher.runs

    async def answer(
        self, request: Request, parse: Callable[[bytes], Result], items: Callable[[Result], Sequence[Item]]
    ) -> tuple[Result, list[Array]]:
        """Read a request, predict its items, and hold no more than the limits meanwhile.

        Args:
            request: The HTTP request.
            parse: Makes of its body what is asked.
            items: The inputs among that.

        Returns:
            What `parse` gave; probabilities (N, K) or values (N,), and features (N, F).

        Raises:
            AutotlError: The request cannot be served, in time or at all.
            ClientDisconnect: The client left; its inputs have been dropped.
        """
        try:
            with self.gate.hold() as hold:
                try:
                    async with asyncio.timeout(self.limits.timeout_seconds):
                        return await self._answer(request, parse, items, hold)
                except TimeoutError:
                    raise self._late(hold) from None
        finally:
            self._gauge()

    async def _answer(
        self,
        request: Request,
        parse: Callable[[bytes], Result],
        items: Callable[[Result], Sequence[Item]],
        hold: Hold,
    ) -> tuple[Result, list[Array]]:
        body = await read_body(request, self.limits, hold)
        request.state.bytes = len(body)
        asked = await self._parsed(parse, body)
        del body
        wanted = items(asked)
        hold.take(items=len(wanted))
        request.state.items = len(wanted)
        self._gauge()
        return asked, await _unless_left(request, self.outputs(wanted))

    async def outputs(self, items: Sequence[Item]) -> list[Array]:
        """Decode and predict; several inputs of one request are decoded side by side.

        Raises:
            DecodeError: An input is unreadable.
            TooLargeError: An input is larger than the limit.
        """
        step = _TEXTS_TOGETHER if isinstance(self.predictor.decoder, SupportsDecodingMany) else 1
        parts = [self._part(items[start : start + step], start) for start in range(0, len(items), step)]
        if len(parts) == 1:
            return await parts[0]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [np.concatenate(arrays) for arrays in zip(*done, strict=True)]

    async def _part(self, items: Sequence[Item], first: int) -> list[Array]:
        loop = asyncio.get_running_loop()
        self.batcher.expected += 1
        try:
            async with self._turn:
                await self.batcher.room()
                examples = await loop.run_in_executor(self._decoders, self._decode, items, first)
        finally:
            self.batcher.expected -= 1
        return await self.batcher.submit(examples)

    def _decode(self, items: Sequence[Item], first: int) -> list[Example]:
        """Examples of a few inputs, the first of which has the number `first` in its request."""
        for number, item in enumerate(items, start=first):
            self._check_extent(item, number)
        decoder = self.predictor.decoder
        if isinstance(decoder, SupportsDecodingMany):
            return decoder.decode_many(items)
        examples = []
        for number, item in enumerate(items, start=first):
            try:
                examples.append(decoder.decode(item))
            except DecodeError as error:
                raise _numbered(error, number) from error
        return examples

    def _check_extent(self, item: Item, number: int) -> None:
        if not isinstance(self._modality, SupportsExtent):
            return
        unit = self._modality.extent_unit
        most = getattr(self.limits, unit, None)
        try:
            found = self._modality.extent(item)
        except DecodeError as error:
            raise _numbered(error, number) from error
        if most is not None and found > most:
            raise TooLargeError(
                f"input {number} is too large", found=f"{found:,} {unit}", expected=f"at most {most:,}"
            )

    async def _parsed(self, parse: Callable[[bytes], Result], body: bytes) -> Result:
        if len(body) < _LARGE_BYTES:
            return parse(body)
        return await asyncio.get_running_loop().run_in_executor(self._decoders, parse, body)

    def _observe(self, examples: Sequence[Example], outputs: Sequence[Array], seconds: float) -> None:
        self.metrics.batch(len(examples), seconds)
        self._seconds_an_item += 0.1 * (seconds / len(examples) - self._seconds_an_item)
        for observer in self.observers:
            try:
                observer(examples, outputs)
            except Exception as error:  # a watcher may not fail what it watches
                _log.error("an observer failed", exc_info=error)

    def _gauge(self) -> None:
        self.metrics.queue_items.set(self.gate.items)
        self.metrics.queue_bytes.set(self.gate.bytes)
        wait = math.ceil(self._seconds_an_item * self.gate.items)
        self.gate.retry_after_seconds = min(max(wait, 1), _LONGEST_WAIT_SECONDS)

    def _late(self, hold: Hold) -> DeadlineError:
        stage = "waiting for the model" if hold.items else "reading the request"
        return DeadlineError(
            "the request took too long",
            found=f"still {stage} after {self.limits.timeout_seconds:g} s",
            hint="Send fewer inputs a request, or try again later.",
        )


async def _unless_left(request: Request, work: Awaitable[list[Array]]) -> list[Array]:
    """The result of some work, cancelled when the client goes away.

    Raises:
        ClientDisconnect: It did.
    """
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, left):
            each.cancel()
        await asyncio.gather(task, left, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _numbered(error: DecodeError, number: int) -> DataError:
    """The error of an input that says which of the request it is."""
    return type(error)(
        f"input {number}: {error.what}", found=error.found, expected=error.expected, hint=error.hint
    )
