"""Learns from recorded tables what to try first, and prints it as entries of a search space.

    python -m benchmarks.portfolio --sets signdigits,trashnet256,neu_defects [--entries 6]

Each next entry is the configuration that lowers the mean regret over sets by most per second: the
greedy construction of a portfolio of defaults (Feurer et al. 2022), with its cost.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

import numpy as np

from autotl.config import TrialConfig, Value
from autotl.search.simulated import Table
from benchmarks.tables import TABLES

#: Gain of the mean score below which no further entry is worth its time.
_LEAST_GAIN = 1e-3


def main() -> None:
    """Print the entries that the tables of some sets teach."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", required=True, help="sets of one modality, separated by commas")
    parser.add_argument("--entries", type=int, default=6)
    arguments = parser.parse_args()
    tables = [Table.read(TABLES / f"{name}.jsonl") for name in arguments.sets.split(",")]
    for config in learn(tables, arguments.entries):
        params = ", ".join(f"{name} = {json.dumps(value)}" for name, value in sorted(config.params.items()))
        print(f'[[portfolio]]\nstrategy = "{config.strategy}"\nbackbone = "{config.backbone}"')
        print(f"params = {{ {params} }}\n")


def learn(tables: Sequence[Table], entries: int) -> list[TrialConfig]:
    """At most so many configurations, the first to be tried first; with the parameters that all sets have.

    Args:
        tables: Recorded trials of sets of one modality; only configurations that all of them hold count.
        entries: How many.
    """
    known = [{_recipe(config): table.curves[config.key] for config in table.configs} for table in tables]
    shared = sorted(set.intersection(*map(set, known)))
    if not shared:
        return []
    scores = np.array([[max(e.score for e in curves[recipe]) for recipe in shared] for curves in known])
    seconds = np.array([[sum(e.seconds for e in curves[recipe]) for recipe in shared] for curves in known])
    reached = np.median(scores, axis=1)  # what an unlucky first trial gives
    chosen: list[TrialConfig] = []
    while len(chosen) < entries:
        gains = np.maximum(scores - reached[:, None], 0).mean(axis=0)
        if gains.max() < _LEAST_GAIN:
            break
        pick = int(np.argmax(np.where(gains >= _LEAST_GAIN, gains / seconds.mean(axis=0), 0)))
        reached = np.maximum(reached, scores[:, pick])
        backbone, strategy, params = json.loads(shared[pick])
        chosen.append(TrialConfig(backbone, strategy, params))
    return chosen


def known_elsewhere(table: Table, others: Sequence[Table], entries: int) -> list[TrialConfig]:
    """What other tables of its modality teach to try first on a table, as configurations of that table."""
    own = {_recipe(config): config for config in table.configs}
    learned = [_recipe(config) for config in learn(others, entries)] if others else []
    return [own[key] for key in learned if key in own]


def _recipe(config: TrialConfig) -> str:
    """A configuration but for what only some sets have, as JSON."""
    params: Mapping[str, Value] = {k: v for k, v in config.params.items() if k != "class_weight"}
    return json.dumps([config.backbone, config.strategy, params], sort_keys=True)


if __name__ == "__main__":
    main()
