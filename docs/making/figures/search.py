"""What the search reaches: ablations, schedulers, and whole runs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from autotl.search.budget import parse_duration
from benchmarks.ablations.gather import reached_by_both, whole
from docs.making.figures.cells import NO_FIGURE, Target, judged, table
from docs.making.figures.results import RESULTS, Line, last, lines_of, origin

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
        goal = self.most if self.least is None else self.least
        target = None if goal is None else Target(goal, self.form, is_most=self.least is None)
        reached = NO_FIGURE if value is None else self.form.format(value)
        return self.words, reached, *judged(value, target)


ABLATIONS = (
    Figure("first_predictor_seconds_median", "first model in memory, median of sets", "{:g} s", most=15),
    Figure("first_model_seconds_median", "first model on disk, median of sets", "{:g} s", most=40),
    Figure("tenlines_margin_mean", "ahead of the ten lines, mean of images", "{:+g} points", least=2),
    Figure("tenlines_margin_worst", "ahead of the ten lines, worst of these runs", "{:+g} points", least=0),
    Figure(
        "tenlines_behind_share", "runs behind the ten lines beyond noise (95 %, paired)", "{:.0%}", most=0
    ),
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
    commits = [{**found, "commit": commit} for commit in found["commits"].values()]
    caption = f"Profile `{found['profile']}`, each target at one commit. {origin(commits)}"
    return f"{table(('figure', 'reached', 'target', 'met'), rows)}\n\n{caption}"


def schedulers(folder: Path = RESULTS) -> str:
    """Regret on recorded tables by budget, mean over tables, of the schedulers that were taught."""
    found = last(_arms(_SIMULATED, folder), ("arm", "set"))
    head = ("scheduler", *(f"{minutes} min" for minutes in found[0]["minutes"]), "tables")
    cells = []
    for arm in dict.fromkeys(line["arm"] for line in found):
        of_arm = [line for line in found if line["arm"] == arm]
        cells.append((f"`{arm.removeprefix(_SIMULATED)}`", *_by_budget(of_arm), str(len(of_arm))))
    return f"{table(head, cells)}\n\n{origin(found)}"


def schedulers_for_real(folder: Path = RESULTS) -> str:
    """Whole runs of ten minutes with different schedulers: test scores, a row a set and seed."""
    found = last(_arms(_REAL, folder), ("arm", "set", "seed"))
    arms = dict.fromkeys(line["arm"] for line in found)
    scores = {(line["set"], line["seed"], line["arm"]): f"{line['score']:.4f}" for line in found}
    runs = sorted({(line["set"], line["seed"]) for line in found})
    cells = [
        (name, str(seed), *(scores.get((name, seed, arm), NO_FIGURE) for arm in arms)) for name, seed in runs
    ]
    head = ("set", "seed", *(f"`{arm.removeprefix(_REAL)}`" for arm in arms))
    return f"{table(head, cells)}\n\n{origin(found)}"


def cache(folder: Path = RESULTS) -> str:
    """Time with the cache and without until the best score that both reached: the last of set and seed."""
    found = last(_of_target("cache", folder), ("set", "seed", "profile", "arm"))
    arms = {(line["set"], line["seed"], line["profile"], line["arm"]): line for line in found}
    cells = []
    for (name, seed, profile, arm), on in arms.items():
        off = arms.get((name, seed, profile, "off"))
        found_by = None if off is None else reached_by_both(on["rises"], off["rises"])
        if arm != "on" or off is None or found_by is None:
            continue
        level, sooner, later = found_by
        trials, shown = f"{on['trials']} and {off['trials']}", f"{on['seconds']:.0f} s"
        times = f"{sooner:.0f} s", f"{later:.0f} s", f"{later / sooner:.2f}"
        cells.append((name, str(seed), shown, trials, f"{level:.4f}", *times))
    head = ("set", "seed", "arms of", "trials", "score", "with", "without", "times sooner")
    return f"{table(head, cells)}\n\n{origin(found)}"


def rankings(folder: Path = RESULTS) -> str:
    """What is ranked first beside the best of all, tuned: the last of each set and seed."""
    found = last(_of_target("ranking", folder), ("set", "seed", "limit"))
    cells = [
        (
            *(line["set"], str(line["seed"]), line["limit"]),
            *(f"{line[name]:.3f}" for name in ("best", "chosen", "static", "logme")),
            f"{line['ranking_seconds'] / line['tuning_seconds']:.1%}",
        )
        for line in found
    ]
    head = ("set", "seed", "training rows", "best", "ranked first", "published accuracy", "LogME", "time")
    return f"{table(head, cells)}\n\n{origin(found)}"


def beside_ten_lines(folder: Path = RESULTS) -> str:
    """Accuracy of whole runs and of the ten lines on their parts: the last of each set, seed and budget."""
    found = last(_of_target("tenlines", folder), ("set", "seed", "arm", "limit"))
    sets = list(dict.fromkeys(line["set"] for line in found))
    found.sort(key=lambda line: (sets.index(line["set"]), line["seed"], parse_duration(line["arm"])))
    cells = [
        (
            *(line["set"], str(line["seed"]), line["limit"], line["arm"]),
            *(f"{line['accuracy']:.4f}", _ten_lines(line), f"{line['margin']:+.2f} points", _bounds(line)),
        )
        for line in found
    ]
    head = ("set", "seed", "training rows", "budget", "accuracy", "ten lines", "ahead by", "95 % interval")
    return f"{table(head, cells)}\n\n{origin(found)}"


def foundation(folder: Path = RESULTS) -> str:
    """Whole runs on data sets: the last of each set, seed and budget."""
    found = last(lines_of("foundation", folder), ("set", "seed", "budget"))
    cells = [
        (
            line["set"],
            str(line["seed"]),
            line["budget"],
            line["metric"],
            f"{line['score']:.4f}",
            f"{line['low']:.3f} to {line['high']:.3f}",
            *judged(line["score"], None if line.get("target") is None else Target(line["target"])),
            _ten_lines(line),
            f"{line['first_model_seconds']:.0f} s",
        )
        for line in found
    ]
    head = (*_RUN, "score", "95 % interval", "target", "met", "ten lines", "first model")
    return f"{table(head, cells)}\n\n{origin(found)}"


def _of_target(name: str, folder: Path) -> list[Line]:
    """Lines of a target of the ablations, with the limit of training rows that they were measured on.

    Those that failed, or had another budget, do not count.
    """
    lines = [line for line in lines_of("ablations", folder) if line["target"] == name]
    return [
        {**line, "profile": whole(line["profile"]), "limit": _row_limit(line["profile"])}
        for line in lines
        if "error" not in line and " seconds=" not in line["profile"]
    ]


def _row_limit(profile: str) -> str:
    """The most training rows of a profile, as a cell."""
    limit = re.search(r" rows=(\d+)", profile)
    return f"{int(limit[1]):,}" if limit else "all"


def _arms(prefix: str, folder: Path) -> list[Line]:
    """Lines of the comparison of schedulers in full; those that failed or were shrunk do not count."""
    lines = [line for line in lines_of("ablations", folder) if line["arm"].startswith(prefix)]
    whole = [line for line in lines if "error" not in line and line["profile"].startswith("full")]
    return [line for line in whole if " rows=" not in line["profile"] and " seconds=" not in line["profile"]]


def _by_budget(lines: Sequence[Line]) -> list[str]:
    """Regret by budget in points, mean over tables, and its standard error over seeds."""
    regrets = zip(*(line["regret"] for line in lines), strict=True)
    errors = zip(*(line["standard_error"] for line in lines), strict=True)
    pairs = zip(map(fmean, regrets), (math.hypot(*column) / len(lines) for column in errors), strict=True)
    return [f"{100 * mean:.2f} ± {100 * error:.2f}" for mean, error in pairs]


def _bounds(line: Line) -> str:
    """The interval of what is gained over the ten lines, in points."""
    gain = line["ten_lines"].get("gain")
    return f"{100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}" if gain else NO_FIGURE


def _ten_lines(line: Line) -> str:
    found = line.get("ten_lines")
    return f"{max(found['score'], found['refitted']):.4f}" if found else "not run"
