"""Recorded tables hold the same configurations on all sets of a kind."""

from __future__ import annotations

from autotl.config import TrialConfig
from benchmarks.tables import draw


class Space:
    """Some parameters from 0 to 1."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def suggest(self, trial) -> TrialConfig:
        return TrialConfig("net", "full", {name: trial.suggest_float(name, 0, 1) for name in self._names})


def test_a_parameter_that_a_space_lacks_changes_no_other():
    whole, part = draw(Space("rate", "class_weight", "decay"), 3), draw(Space("rate", "decay"), 3)
    assert part.params == {name: whole.params[name] for name in ("rate", "decay")}
    assert whole.params["rate"] != whole.params["decay"]
    assert draw(Space("rate"), 4) != draw(Space("rate"), 3) == draw(Space("rate"), 3)
