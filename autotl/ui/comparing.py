"""Chosen runs side by side, as `autotl compare` puts them, by name and with the winners' settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autotl.report.comparison import compare
from autotl.report.recorded import mapping, read_json, settings
from autotl.trial.run_folder import RunFolder


def compared(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """Runs side by side, JSON-ready.

    Args:
        runs: Two run folders at least, by name.

    Returns:
        {"runs": facts of each, "pairs": the best against each other one}, see `autotl.report.comparison`.

    Raises:
        RunError: They are too few, or one of them holds no data yet.
    """
    names = {str(run.path): name for name, run in runs.items()}
    found = compare([run.path for run in runs.values()]).to_json()
    for facts in found["runs"]:
        run = runs[names[facts["run"]]]
        config = mapping(mapping(read_json(run, "run.json", [])).get("winner")).get("config")
        facts["settings"] = settings(mapping(mapping(config).get("params")))
        facts["run"] = names[facts["run"]]
    for pair in found["pairs"]:
        for key in ("run", "other"):
            pair["words"] = pair["words"].replace(pair[key], names[pair[key]])
            pair[key] = names[pair[key]]
    return found
