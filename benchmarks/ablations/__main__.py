"""Measures what each part of the engine brings, and sums it up in `results/ablations.json`.

    python -m benchmarks.ablations DATA_FOLDER --profile quick|full [--targets cache,cost] [--minutes M]
    taskset -c 0 python -m benchmarks.ablations DATA_FOLDER --profile full --sets sst2 --arms "real gain"

A line an arm in `results/ablations.jsonl`; a later call goes on where an earlier one ended, unless `--fresh`.
`--arms`, `--seeds` and `--sets` choose some of the arms, and write no summary. `--rows` and `--seconds`
shrink everything, to see that the command works: what is so measured counts for no other profile.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autotl.features.allocator import keep_freed_memory
from benchmarks.ablations.cache import TARGET as CACHE
from benchmarks.ablations.cost import TARGET as COST
from benchmarks.ablations.first_model import TARGET as FIRST_MODEL
from benchmarks.ablations.gather import pending, summary
from benchmarks.ablations.ranking import TARGET as RANKING
from benchmarks.ablations.scheduler import TARGET as SCHEDULER
from benchmarks.ablations.target import Arm, Profile, Target, Workspace
from benchmarks.ablations.tenlines import TARGET as TEN_LINES
from benchmarks.record import RESULTS, append, provenance, rows

TARGETS: dict[str, Target] = {
    target.name: target for target in (COST, FIRST_MODEL, RANKING, SCHEDULER, CACHE, TEN_LINES)
}
_QUICK_SETS = ("signdigits", "trashnet256", "sst2", "banking77_16")
PROFILES = {
    "quick": Profile("quick", _QUICK_SETS, (0,), (("10m",), ("3m",)), arm_seconds=100.0),
    "full": Profile(
        "full",
        (*_QUICK_SETS, "cifar10", "neu_defects", "textile", "germeval2018", "clinc150_small"),
        (0, 1, 2),
        (("1m", "3m", "10m"), ("1m", "3m", "10m")),
        arm_seconds=600.0,
        all_schedulers=True,
    ),
}
_NAME = "ablations"


def main() -> None:
    """Run the arms that are still to be run, and write the summary."""
    arguments = _arguments()
    profile = _profile(arguments)
    targets = [TARGETS[name] for name in arguments.targets.split(",")]
    end = time.monotonic() + 60 * arguments.minutes
    keep_freed_memory()
    arms = [arm for target in targets for arm in target.arms(profile)]
    known = [] if arguments.fresh else rows(_NAME, arguments.out)
    names = {"name": arguments.arms, "set": arguments.sets, "seed": arguments.seeds}
    arms = chosen(arms, {field: text.split(",") for field, text in names.items() if text})
    todo = pending(arms, known, profile.name, provenance()["commit"])
    print(f"{len(arms)} arms, {len(arms) - len(todo)} measured before", flush=True)
    for arm in todo:
        if time.monotonic() > end:
            print("the time is over; the same command goes on", flush=True)
            break
        measure(arm, profile, arguments.data, arguments.out)
    if any(names.values()):
        return
    found = summary(list(TARGETS.values()), rows(_NAME, arguments.out), profile, provenance())
    (arguments.out / f"{_NAME}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def measure(arm: Arm, profile: Profile, data: Path, out: Path) -> None:
    """Run an arm in an empty folder, and append its line; what fails is tried again by the next call."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        os.environ["AUTOTL_CACHE_DIR"] = cache
        try:
            found = TARGETS[arm.target].run(arm, Workspace(data, profile, Path(folder)))
        except Exception as error:  # an arm that cannot be measured must not cost the others
            found = {"error": f"{type(error).__name__}: {error}"}
    head = {"target": arm.target, "set": arm.set, "seed": arm.seed, "arm": arm.name, "profile": profile.name}
    append(_NAME, {**head, **found, "arm_seconds": round(time.monotonic() - begun, 1)}, out)
    print(json.dumps({**head, **found}), flush=True)


def chosen(arms: Sequence[Arm], names: Mapping[str, Sequence[str]]) -> list[Arm]:
    """The arms with the names asked for, by field of an arm.

    Raises:
        SystemExit: No arm has one of them.
    """
    for field, wanted in names.items():
        there = {str(getattr(arm, field)) for arm in arms}
        if unknown := set(wanted) - there:
            raise SystemExit(f"no arms of {field} {sorted(unknown)}; there are {sorted(there)}")
        arms = [arm for arm in arms if str(getattr(arm, field)) in wanted]
    return list(arms)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--arms", help="only these arms of the targets, by name; no summary")
    parser.add_argument("--seeds", help="only arms of these seeds; no summary")
    parser.add_argument("--sets", help="only arms of these data sets; no summary")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no arm after so long")
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of lines and summary")
    parser.add_argument("--rows", type=int, help="at most so many training rows")
    parser.add_argument("--seconds", type=float, help="budget of every arm and run")
    return parser.parse_args()


def _profile(arguments: argparse.Namespace) -> Profile:
    """The profile asked for; one that was shrunk has a name of its own."""
    profile = PROFILES[arguments.profile]
    if arguments.rows:
        profile = replace(profile, name=f"{profile.name} rows={arguments.rows}", rows=arguments.rows)
        profile = replace(profile, synthetic_rows=arguments.rows, asked_trials=min(arguments.rows, 300))
    if arguments.seconds:
        budgets = ((f"{arguments.seconds:.0f}s",),) * 2
        profile = replace(profile, name=f"{profile.name} seconds={arguments.seconds:g}", fit_budgets=budgets)
        profile = replace(profile, arm_seconds=arguments.seconds)
    return profile


if __name__ == "__main__":
    main()
