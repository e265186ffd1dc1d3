"""Compares `autotl serve` with ONNX Runtime called in a loop, and runs it for long at twice its capacity.

    python -m benchmarks.serve BUNDLE INPUT [--seconds 20] [--rounds 5] [--connections 64]
    python -m benchmarks.serve BUNDLE INPUT --soak 600

INPUT is an image file, or a text file with one text. The load comes from hey (Apache-2.0, `apt-get install
hey`). Server and loop have core 0, hey has core 1, and they take turns. A line in `results/serve.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, append
from benchmarks.serve.load import Load, write_body
from benchmarks.serve.server import SERVER_CORE, Server, memory_mib, pinned

#: The server of a soak refuses early, so that half of what hey sends is refused.
_SOAK_QUEUE = 64
_SOAK_CONNECTIONS = 256


def main() -> None:
    """Measure, print, record."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        body, kind = write_body(arguments.input, Path(folder))
        row = _soak(arguments, body, kind) if arguments.soak else _throughput(arguments, body, kind)
    row = {"bundle": arguments.bundle.resolve().parent.name, "input": arguments.input.name, **row}
    print(json.dumps(row, indent=1))
    append("serve", row, arguments.out)


def _throughput(arguments: argparse.Namespace, body: Path, kind: str) -> dict[str, Any]:
    """Rounds of loop and server, one after the other."""
    loops: list[float] = []
    rounds: list[dict[str, Any]] = []
    for _ in range(arguments.rounds):
        loops.append(_loop(arguments))
        options = ("--max-batch", arguments.batch, "--queue-items", 4 * arguments.connections + 256)
        with Server(arguments.bundle, options) as server:
            load = Load(server.url, body, kind, arguments.connections)
            load.run(min(3.0, arguments.seconds))
            rounds.append(load.run(arguments.seconds))
        print(f"loop {loops[-1]:.1f}/s, server {rounds[-1]['per_second']:.1f}/s", flush=True)
    served = [each["per_second"] for each in rounds]
    return {
        "mode": "throughput",
        "seconds": arguments.seconds,
        "connections": arguments.connections,
        "batch": arguments.batch,
        "loop_per_second": loops,
        "server_per_second": served,
        "ratio": statistics.median(served) / statistics.median(loops),
        "ratios": [mine / other for mine, other in zip(served, loops, strict=True)],
        "rounds": rounds,
    }


def _loop(arguments: argparse.Namespace) -> float:
    """Inputs a second of ONNX Runtime in a loop, in a process of its own."""
    words = [
        "-m",
        "benchmarks.serve.loop",
        arguments.bundle,
        arguments.input,
        arguments.seconds,
        arguments.batch,
    ]
    command = pinned(SERVER_CORE, sys.executable, *words)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _soak(arguments: argparse.Namespace, body: Path, kind: str) -> dict[str, Any]:
    """Twice the capacity for long: all that is accepted must be answered, and memory must not grow."""
    limits = ("--queue-items", _SOAK_QUEUE, "--max-items", _SOAK_QUEUE, "--max-batch", arguments.batch)
    with Server(arguments.bundle, limits) as server:
        warm = Load(server.url, body, kind, _SOAK_QUEUE // 2)
        warm.run(min(5.0, arguments.soak))
        capacity = warm.run(min(20.0, arguments.soak))["per_second"]
        print(f"capacity {capacity:.1f}/s", flush=True)
        load = Load(server.url, body, kind, _SOAK_CONNECTIONS)
        with memory_mib(server.process.pid) as memory:
            found = load.run(arguments.soak, per_second=2 * capacity)
    tenth = max(1, len(memory) // 10)
    return {
        "mode": "soak",
        "seconds": arguments.soak,
        "capacity_per_second": capacity,
        "offered_per_second": 2 * capacity,
        **found,
        "exit_code": server.exit_code,
        "memory_mib_first_tenth": statistics.median(memory[:tenth]),
        "memory_mib_last_tenth": statistics.median(memory[-tenth:]),
        "memory_mib_highest": max(memory),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="endurance in place of throughput")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
