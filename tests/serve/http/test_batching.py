"""The batcher runs what has gathered together, keeps rows apart, and forgets what was given up."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from autotl.serve.http.batching import Batcher


class Model:
    """Adds one to the number of an example; records its batches, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.fails_on: int | None = None
        self.entered = 0

    def __call__(self, examples):
        self.entered += 1
        self.may_run.wait(10)
        numbers = [int(example["x"][0]) for example in examples]
        self.batches.append(numbers)
        if self.fails_on in numbers:
            raise RuntimeError("the graph fails")
        return [np.array([[n + 1.0] for n in numbers]), np.array([[n, -n] for n in numbers])]


def example(number: int, length: int = 1):
    return {"x": np.full(length, number)}


def batcher(model: Model, **changes) -> Batcher:
    settings = {
        "ragged": True,
        "batch_items": 8,
        "delay_seconds": 0.0,
        "queue_bytes": 10**9,
        "observe": lambda *_: None,
    }
    return Batcher(model, lambda e: (len(e["x"]),), **{**settings, **changes})


def run(main):
    """Run a coroutine function with a model; everything ends within ten seconds."""

    async def limited():
        async with asyncio.timeout(10):
            return await main()

    return asyncio.run(limited())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_what_arrives_during_a_run_runs_together_next():
    model = Model()

    async def main():
        queue = batcher(model)
        queue.start()
        model.may_run.clear()
        first = asyncio.ensure_future(queue.submit([example(0)]))
        await until(lambda: model.entered == 1)
        others = [asyncio.ensure_future(queue.submit([example(n)])) for n in range(1, 6)]
        await until(lambda: len(queue._queue) == 5)
        model.may_run.set()
        await asyncio.gather(first, *others)
        await queue.stop()

    run(main)
    assert model.batches == [[0], [1, 2, 3, 4, 5]]


def test_an_idle_runner_does_not_wait():
    async def main():
        queue = batcher(Model(), delay_seconds=5.0)
        queue.start()
        start = time.monotonic()
        await queue.submit([example(1)])
        await queue.stop()
        return time.monotonic() - start

    assert run(main) < 2.5


def test_inputs_that_are_being_decoded_are_waited_for():
    model = Model()

    async def main():
        queue = batcher(model, delay_seconds=5.0)
        queue.start()
        queue.expected = 1
        first = asyncio.ensure_future(queue.submit([example(1)]))
        await asyncio.sleep(0.05)
        queue.expected = 0
        await asyncio.gather(first, queue.submit([example(2)]))
        await queue.stop()

    run(main)
    assert model.batches == [[1, 2]]


def test_the_wait_for_others_is_no_longer_than_the_delay():
    model = Model()

    async def main():
        queue = batcher(model, delay_seconds=0.02)
        queue.start()
        queue.expected = 1  # never comes
        await queue.submit([example(1)])
        await queue.stop()

    run(main)
    assert model.batches == [[1]]


def test_rows_are_never_mixed_up():
    model, rng = Model(), np.random.default_rng(0)

    async def ask(queue, first, count):
        await asyncio.sleep(float(rng.random()) / 50)
        numbers = range(first, first + count)
        primary, pairs = await queue.submit([example(n, 1 + n % 5) for n in numbers])
        assert primary.tolist() == [[n + 1.0] for n in numbers]
        assert pairs.tolist() == [[n, -n] for n in numbers]

    async def main():
        queue = batcher(model, delay_seconds=0.001)
        queue.start()
        await asyncio.gather(*(ask(queue, 100 * i, int(rng.integers(1, 20))) for i in range(100)))
        await queue.stop()

    run(main)
    ran = [n for batch in model.batches for n in batch]
    assert len(ran) == len(set(ran))
    assert max(map(len, model.batches)) == 8


def test_only_equal_shapes_share_a_batch_where_they_must():
    model = Model()

    async def main():
        queue = batcher(model, ragged=False)
        queue.start()
        await queue.submit([example(n, 1 + n % 2) for n in range(6)])
        await queue.stop()

    run(main)
    assert model.batches == [[0, 2, 4], [1, 3, 5]]


def test_the_oldest_runs_next_whatever_its_length():
    model = Model()

    async def main():
        queue = batcher(model, batch_items=2)
        queue.start()
        await queue.submit([example(9, 50), *(example(n) for n in range(5))])
        await queue.stop()

    run(main)
    assert 9 in model.batches[0]


def test_one_bad_example_fails_its_own_request_only():
    model = Model()
    model.fails_on = 2

    async def main():
        queue = batcher(model)
        queue.start()
        model.may_run.clear()
        tasks = [asyncio.ensure_future(queue.submit([example(n)])) for n in range(4)]
        await asyncio.sleep(0.01)
        model.may_run.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await queue.stop()
        return done

    done = run(main)
    assert [type(one) for one in done] == [list, list, RuntimeError, list]
    assert done[3][0].tolist() == [[4.0]]


def test_what_is_given_up_leaves_the_queue_and_never_runs():
    model = Model()

    async def main():
        queue = batcher(model)
        queue.start()
        model.may_run.clear()
        first = asyncio.ensure_future(queue.submit([example(0)]))
        await until(lambda: model.entered == 1)
        second = asyncio.ensure_future(queue.submit([example(1), example(2)]))
        await until(lambda: len(queue._queue) == 2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (len(queue._queue), queue._bytes) == (0, 0)
        model.may_run.set()
        await first
        await queue.stop()

    run(main)
    assert model.batches == [[0]]


def test_decoding_waits_until_there_is_room_for_its_bytes():
    model = Model()

    async def main():
        queue = batcher(model, queue_bytes=8)
        queue.start()
        model.may_run.clear()
        running = asyncio.ensure_future(queue.submit([example(0)]))
        await until(lambda: model.entered == 1)
        waiting = asyncio.ensure_future(queue.submit([example(1)]))
        room = asyncio.ensure_future(queue.room())
        await asyncio.sleep(0.02)
        assert not room.done()
        model.may_run.set()
        await asyncio.gather(running, waiting, room)
        await queue.stop()

    run(main)


def test_nothing_is_taken_after_the_end():
    async def main():
        queue = batcher(Model())
        queue.start()
        await queue.stop()
        with pytest.raises(RuntimeError, match="does not run"):
            await queue.submit([example(1)])

    run(main)


def test_a_model_that_loses_rows_fails_the_request_and_no_other():
    async def main():
        queue = batcher(lambda examples: [np.zeros((0, 1))])
        queue.start()
        with pytest.raises(IndexError):
            await queue.submit([example(1)])
        assert queue.runs
        await queue.stop()

    run(main)
