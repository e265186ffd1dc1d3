"""What exported models do: parity, latency, int8, serving, and explanations."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from docs.making.figures.cells import Target, judged, table
from docs.making.figures.results import RESULTS, Line, last, lines_of, origin

#: A bundle's share of torch's time; the server's share of the speed of a loop.
_OF_TORCH, _OF_LOOP = Target(0.5, "{:.0%}", is_most=True), Target(0.85)
_THREADS = {"threads_1": "1 thread", "threads_2": "2 threads"}


def parity(folder: Path = RESULTS) -> str:
    """Bundles beside the trained networks, on raw inputs."""
    found = last(lines_of("parity", folder), ("set", "backbone"))
    head = ("set", "backbone", "rows", "labels that differ", "largest difference")
    cells = [
        (
            str(line["set"]),
            str(line["backbone"]),
            str(line["rows"]),
            str(line["label_flips"]),
            f"{line['largest_difference']:.1e}",
        )
        for line in found
    ]
    return f"{table(head, cells)}\n\n{origin(found)}"


def deliverable(folder: Path = RESULTS) -> str:
    """Time of a single row in ONNX Runtime, preprocessing included, beside torch without it."""
    found = last(lines_of("deliverable", folder), ("backbone",))
    times = [f"{what}, {words}" for words in _THREADS.values() for what in ("bundle", "torch", "share")]
    head = ("backbone", "size", *times, "first prediction")
    cells = [
        (
            line["backbone"],
            f"{line['model_mb']:.1f} MB",
            *(cell for threads in _THREADS for cell in _times(line, threads)),
            f"{line['cold_start_seconds']:.1f} s",
        )
        for line in found
    ]
    medians = [
        (words, median(line[key]["bundle_share_of_torch"] for line in found))
        for key, words in _THREADS.items()
    ]
    summary = [
        (f"share of torch's time, {words}, median", f"{share:.1%}", *judged(share, _OF_TORCH))
        for words, share in medians
    ]
    judgement = table(("figure", "reached", "target", "met"), summary)
    return f"{table(head, cells)}\n\n{judgement}\n\n{origin(found)}"


def _times(line: Line, threads: str) -> tuple[str, str, str]:
    seen = line[threads]
    share = f"{seen['bundle_share_of_torch']:.0%}"
    return f"{seen['bundle_ms']:.1f} ms", f"{seen['torch_network_ms']:.1f} ms", share


def int8(folder: Path = RESULTS) -> str:
    """What int8 graphs cost in score and bring in speed, and whether they ship."""
    found = last(lines_of("deliverable", folder), ("backbone",))
    head = ("backbone", "how", "score, single precision", "int8", "times as fast", "ships")
    cells = [
        (
            line["backbone"],
            line["int8"]["method"],
            f"{line['int8']['score_before']:.4f}",
            f"{line['int8']['score_after']:.4f}",
            f"{line['int8']['speedup']:.2f}",
            "yes" if line["int8"]["kept"] else "no",
        )
        for line in found
    ]
    return f"{table(head, cells)}\n\n{origin(found)}"


def serving(folder: Path = RESULTS) -> str:
    """The server beside ONNX Runtime in a loop with the same batches, and at twice its capacity."""
    found = last(lines_of("serve", folder), ("bundle", "input", "mode"))
    speeds = [line for line in found if line["mode"] == "throughput"]
    soaks = [line for line in found if line["mode"] == "soak"]
    fast = [
        (
            line["input"],
            f"{median(line['loop_per_second']):.0f}",
            f"{median(line['server_per_second']):.0f}",
            f"{line['ratio']:.2f}",
            *judged(line["ratio"], _OF_LOOP),
        )
        for line in speeds
    ]
    long = [
        (
            line["input"],
            f"{line['seconds']:.0f} s",
            f"{line['offered_per_second']:.0f}",
            ", ".join(f"{count:,} with {status}" for status, count in line["statuses"].items()),
            str(line["errors"]),
            f"{line['memory_mib_last_tenth'] / line['memory_mib_first_tenth'] - 1:+.0%}",
        )
        for line in soaks
    ]
    heads = (
        ("input", "loop, a second", "server, a second", "share", "target", "met"),
        ("input", "for", "offered, a second", "answered", "lost", "memory, last tenth to first"),
    )
    return f"{table(heads[0], fast)}\n\n{table(heads[1], long)}\n\n{origin([*speeds, *soaks])}"


def explanations(folder: Path = RESULTS) -> str:
    """How faithful maps of images are: the probability left as their pixels go, and come."""
    found = last(lines_of("explain", folder), ("set", "map"))
    head = ("set", "map", "images", "deletion (lower is better)", "insertion (higher is better)", "seconds")
    cells = [
        (
            line["set"],
            line["map"],
            str(line["images"]),
            f"{line['deletion']:.3f} ± {line['deletion_error']:.3f}",
            f"{line['insertion']:.3f} ± {line['insertion_error']:.3f}",
            f"{line['seconds']:.2f}",
        )
        for line in found
    ]
    return f"{table(head, cells)}\n\n{origin(found)}"
