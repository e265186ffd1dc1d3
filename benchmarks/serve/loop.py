"""The server's opponent: decode, batch and run in a loop on one thread, with nothing around it.

    python -m benchmarks.serve.loop BUNDLE INPUT SECONDS BATCH

Prints inputs a second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from autotl.serve.predictor import Predictor


def main() -> None:
    """Run for the seconds asked."""
    bundle, source, seconds, batch = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    is_text = source.suffix.lower() == ".txt"
    item = source.read_text(encoding="utf-8").strip() if is_text else source.read_bytes()
    predictor = Predictor(bundle, threads=1)
    items = [item] * batch
    predictor.run_batch(predictor.decode(items))
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        predictor.run_batch(predictor.decode(items))
        count += batch
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
