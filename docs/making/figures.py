"""Tables of what was measured, from `benchmarks/results`: each with date, commit and machine.

A target that was missed is shown as missed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, mode
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
_NO_FIGURE = "not measured"
#: How arms of the comparison of schedulers begin.
_SIMULATED, _REAL = "simulated taught ", "real "
_RUN = ("set", "seed", "budget", "metric")


@dataclass(frozen=True)
class Figure:
    """A figure of the ablations.

    Attributes:
        key: Its name in the result file.
        words: What it tells.
        form: How a value is written.
        least: The target, where more is better.
        most: The target, where less is better.
    """

    key: str
    words: str
    form: str = "{:g}"
    least: float | None = None
    most: float | None = None

    def row(self, value: float | None) -> tuple[str, str, str, str]:
        """The figure as cells: words, reached, target, met."""
        reached = _NO_FIGURE if value is None else self.form.format(value)
        target = next((sign + self.form.format(t) for sign, t in self._targets), "none")
        if value is None or target == "none":
            return self.words, reached, target, ""
        return self.words, reached, target, "yes" if self._is_met(value) else "**no**"

    @property
    def _targets(self) -> list[tuple[str, float]]:
        both = (("at least ", self.least), ("at most ", self.most))
        return [(sign, target) for sign, target in both if target is not None]

    def _is_met(self, value: float) -> bool:
        above = self.least is None or value >= self.least
        return above and (self.most is None or value <= self.most)


ABLATIONS = (
    Figure("first_predictor_seconds_median", "first model in memory, median of sets", "{:g} s", most=15),
    Figure("first_model_seconds_median", "first model on disk, median of sets", "{:g} s", most=40),
    Figure("tenlines_margin_mean", "ahead of the ten lines, mean of images", "{:+g} points", least=2),
    Figure("tenlines_margin_worst", "ahead of the ten lines, worst of these runs", "{:+g} points", least=0),
    Figure(
        "ranking_within_1pt_share", "what is ranked first is within 1 point of the best", "{:.0%}", least=0.8
    ),
    Figure("static_within_1pt_share", "the same, ranked by published accuracy alone", "{:.0%}"),
    Figure("logme_within_1pt_share", "the same, ranked by LogME", "{:.0%}"),
    Figure("ranking_cost_share", "time of the ranking, of the time to tune all", "{:.1%}", most=0.1),
    Figure(
        "scheduler_gap_points",
        "a tenth of the time of 40 random full trainings: behind their best",
        "{:.2f} points",
        most=0.3,
    ),
    Figure(
        "scheduler_time_share",
        "share of the time of 40 random full trainings to come within 0.3 points of their best",
        "{:.0%}",
        most=0.1,
    ),
    Figure(
        "cache_speedup_median",
        "the same score sooner with the cache of frozen features",
        "{:g} times",
        least=5,
    ),
    Figure("overhead_share_median", "the engine's own share of a run's time", "{:.1%}", most=0.01),
    Figure("head_trial_ms", "recording a trial of a head", "{:g} ms", most=5),
    Figure("asked_trial_ms", "choosing the next trial, 300 trials on", "{:g} ms", most=50),
    Figure("peak_mib_100k_rows", "memory for the features of 100,000 images", "{:,.0f} MiB", most=4096),
)


def ablations(folder: Path = RESULTS) -> str:
    """The summary of the ablations, target beside figure."""
    found = json.loads((folder / "ablations.json").read_text())
    rows = [figure.row(found.get(figure.key)) for figure in ABLATIONS]
    caption = f"Profile `{found['profile']}`. {origin([found])}"
    return f"{table(('figure', 'reached', 'target', 'met'), rows)}\n\n{caption}"


def schedulers(folder: Path = RESULTS) -> str:
    """Regret on recorded tables by budget, mean over tables, of the schedulers that were taught."""
    lines = _arms(_SIMULATED, folder)
    commit = mode(row["commit"] for row in lines)
    last = _last([row for row in lines if row["commit"] == commit], ("arm", "set"))
    arms = dict.fromkeys(row["arm"] for row in last)
    tables = [[row for row in last if row["arm"] == arm] for arm in arms]
    head = ("scheduler", *(f"{minutes} min" for minutes in last[0]["minutes"]), "tables")
    cells = [
        (f"`{arm.removeprefix(_SIMULATED)}`", *map(_regret, *_by_budget(rows)), str(len(rows)))
        for arm, rows in zip(arms, tables, strict=True)
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def schedulers_for_real(folder: Path = RESULTS) -> str:
    """Whole runs of ten minutes that differ in nothing but the scheduler: test scores."""
    last = _last(_arms(_REAL, folder), ("arm", "set"))
    arms = dict.fromkeys(row["arm"] for row in last)
    scores = {(row["set"], row["arm"]): row["score"] for row in last}
    head = ("set", *(f"`{arm.removeprefix(_REAL)}`" for arm in arms))
    cells = [
        (name, *(f"{scores[name, arm]:.4f}" if (name, arm) in scores else _NO_FIGURE for arm in arms))
        for name in dict.fromkeys(row["set"] for row in last)
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def foundation(folder: Path = RESULTS) -> str:
    """Whole runs on data sets: the last of each set, seed and budget."""
    last = _last(rows_of("foundation", folder), ("set", "seed", "budget"))
    cells = [
        (
            row["set"],
            str(row["seed"]),
            row["budget"],
            row["metric"],
            f"{row['score']:.4f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            *_judged(row["score"], row.get("target")),
            _ten_lines(row),
            f"{row['first_model_seconds']:.0f} s",
        )
        for row in last
    ]
    head = (*_RUN, "score", "95 % interval", "target", "met", "ten lines", "first model")
    return f"{table(head, cells)}\n\n{origin(last)}"


def parity(folder: Path = RESULTS) -> str:
    """Bundles beside the trained networks, on raw inputs."""
    last = _last(rows_of("parity", folder), ("set", "backbone"))
    head = ("set", "backbone", "rows", "labels that differ", "largest difference")
    cells = [
        (
            str(row["set"]),
            str(row["backbone"]),
            str(row["rows"]),
            str(row["label_flips"]),
            f"{row['largest_difference']:.1e}",
        )
        for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def deliverable(folder: Path = RESULTS) -> str:
    """Time of a single row in ONNX Runtime, preprocessing included, beside torch without it."""
    last = _last(rows_of("deliverable", folder), ("backbone",))
    head = ("backbone", "size", "bundle, 1 thread", "torch, 1 thread", "of torch's time", "first prediction")
    cells = [
        (
            row["backbone"],
            f"{row['model_mb']:.1f} MB",
            f"{row['threads_1']['bundle_ms']:.1f} ms",
            f"{row['threads_1']['torch_network_ms']:.1f} ms",
            f"{row['threads_1']['bundle_share_of_torch']:.0%}",
            f"{row['cold_start_seconds']:.1f} s",
        )
        for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def int8(folder: Path = RESULTS) -> str:
    """What int8 graphs cost in score and bring in speed, and whether they ship."""
    last = _last(rows_of("deliverable", folder), ("backbone",))
    head = ("backbone", "how", "score, single precision", "int8", "times as fast", "ships")
    cells = [
        (
            row["backbone"],
            row["int8"]["method"],
            f"{row['int8']['score_before']:.4f}",
            f"{row['int8']['score_after']:.4f}",
            f"{row['int8']['speedup']:.2f}",
            "yes" if row["int8"]["kept"] else "no",
        )
        for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def serving(folder: Path = RESULTS) -> str:
    """The server beside ONNX Runtime in a loop with the same batches, and at twice its capacity."""
    last = _last(rows_of("serve", folder), ("bundle", "input", "mode"))
    speeds = [row for row in last if row["mode"] == "throughput"]
    soaks = [row for row in last if row["mode"] == "soak"]
    fast = [
        (
            row["input"],
            f"{median(row['loop_per_second']):.0f}",
            f"{median(row['server_per_second']):.0f}",
            f"{row['ratio']:.2f}",
            "at least 0.85",
            "yes" if row["ratio"] >= 0.85 else "**no**",
        )
        for row in speeds
    ]
    long = [
        (
            row["input"],
            f"{row['seconds']:.0f} s",
            f"{row['offered_per_second']:.0f}",
            ", ".join(f"{count:,} with {status}" for status, count in row["statuses"].items()),
            str(row["errors"]),
            f"{row['memory_mib_last_tenth'] / row['memory_mib_first_tenth'] - 1:+.0%}",
        )
        for row in soaks
    ]
    heads = (
        ("input", "loop, a second", "server, a second", "share", "target", "met"),
        ("input", "for", "offered, a second", "answered", "lost", "memory, last tenth to first"),
    )
    return f"{table(heads[0], fast)}\n\n{table(heads[1], long)}\n\n{origin([*speeds, *soaks])}"


def explanations(folder: Path = RESULTS) -> str:
    """How faithful maps of images are: the probability left as their pixels go, and come."""
    last = _last(rows_of("explain", folder), ("set", "map"))
    head = ("set", "map", "images", "deletion (lower is better)", "insertion (higher is better)", "seconds")
    cells = [
        (
            row["set"],
            row["map"],
            str(row["images"]),
            f"{row['deletion']:.3f} ± {row['deletion_error']:.3f}",
            f"{row['insertion']:.3f} ± {row['insertion_error']:.3f}",
            f"{row['seconds']:.2f}",
        )
        for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def audit(folder: Path = RESULTS) -> str:
    """How much of what was planted an audit finds."""
    last = _last(rows_of("audit", folder), ("set",))
    head = (
        "set",
        "rows",
        "wrong labels found",
        "of its suspects wrong",
        "copies found",
        "torn files",
        "leak named",
    )
    cells = [
        (
            row["set"],
            f"{row['rows']:,}",
            f"{row['wrong_labels']:.0%}",
            f"{row['precision']:.0%}",
            f"{row['copies']:.0%}",
            "none planted" if row["torn"] is None else f"{row['torn']:.0%}",
            "yes" if row["leak"]["named"] else "**no**",
        )
        for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def monitoring(folder: Path = RESULTS) -> str:
    """How often drift was reported, by what was changed and how many rows came."""
    last = _last(rows_of("monitoring", folder), ("set", "kind", "rows"))
    head = ("set", "what was changed", "rows", "windows", "reported as drift")
    cells = [
        (row["set"], row["kind"], str(row["rows"]), str(row["checks"]), f"{row['drift']:.0%}") for row in last
    ]
    return f"{table(head, cells)}\n\n{origin(last)}"


def rows_of(name: str, folder: Path) -> list[dict[str, Any]]:
    """The lines of a result file."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines() if line]


def origin(rows: Iterable[Mapping[str, Any]]) -> str:
    """When, at which commits and where rows were measured."""
    rows = list(rows)
    days = sorted({str(row["date"])[:10] for row in rows})
    commits = ", ".join(dict.fromkeys(f"`{row['commit']}`" for row in rows))
    machines = "; ".join(dict.fromkeys(str(row["machine"]) for row in rows))
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Measured {span} at {commits}, on {machines}."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _last(rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The last row of each combination of keys, in the order in which they first came."""
    return list({tuple(row.get(key) for key in keys): row for row in rows}.values())


def _arms(prefix: str, folder: Path) -> list[dict[str, Any]]:
    """Lines of the comparison of schedulers in full; those that failed or were shrunk do not count."""
    lines = [row for row in rows_of("ablations", folder) if row["arm"].startswith(prefix)]
    whole = [row for row in lines if "error" not in row and row["profile"].startswith("full")]
    return [row for row in whole if " rows=" not in row["profile"] and " seconds=" not in row["profile"]]


def _by_budget(rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    """Regret by budget, mean over tables, and its standard error over seeds."""
    regrets = zip(*(row["regret"] for row in rows), strict=True)
    errors = zip(*(row["standard_error"] for row in rows), strict=True)
    return [fmean(column) for column in regrets], [math.hypot(*column) / len(rows) for column in errors]


def _regret(mean: float, error: float) -> str:
    return f"{100 * mean:.2f} ± {100 * error:.2f}"


def _judged(score: float, target: float | None) -> tuple[str, str]:
    if target is None:
        return "none", ""
    return f"{target:g}", "yes" if score >= target else "**no**"


def _ten_lines(row: Mapping[str, Any]) -> str:
    found = row.get("ten_lines")
    return f"{max(found['score'], found['refitted']):.4f}" if found else "not run"
