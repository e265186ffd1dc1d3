"""A run goes on where fewer backbones may be used than it began with."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from autotl import AutoTL
from autotl.automl import footprints, inspect, reopen
from autotl.backbones.backbone import Availability
from autotl.errors import SpaceError
from autotl.graph.footprint import Footprint
from autotl.search.events import Note
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.strategies.registry import strategies
from autotl.testing.backbones import tiny_text_backbone
from autotl.testing.data import write_text_table
from autotl.trial import benches
from autotl.trial.run_folder import RunFolder

PORTFOLIO = """
[[portfolio]]
strategy = "linear_probe"
backbone = "others"
limit = 1
"""

SEEDS = {"first": 0, "second": 1, "third": 2}
MB = 10**6
#: What each takes on disk, as it is measured.
SIZES = {"first": 20 * MB, "second": 10 * MB, "third": 15 * MB}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Three tiny networks; what they take is made up, and whether they are here can be changed."""
    folder = tmp_path_factory.mktemp("tokenizers")
    infos = {
        name: replace(
            tiny_text_backbone(seed, folder=folder / name).info,
            name=name,
            prior=0.8 - 0.1 * seed,
            macs=10**6 * (1 + seed),
            licence="other:research" if name == "first" else "MIT",
            commercial=name != "first",
        )
        for name, seed in SEEDS.items()
    }
    here = dict.fromkeys(SEEDS, True)

    def load(info, **_):
        assert here[info.name], f"{info.name} is not here, and was asked for"
        backbone = tiny_text_backbone(SEEDS[info.name], folder=folder / info.name)
        backbone.info = info
        return backbone

    def available(info, **_):
        return Availability(here[info.name], "here" if here[info.name] else "no package holds it")

    def measured(model, *_):
        return Footprint(SIZES[model.backbone.info.name], 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "candidates", lambda *_: infos)
        patch.setattr(reopen, "candidates", lambda *_: infos)
        patch.setattr(inspect, "availability", available)
        patch.setattr(benches, "load", load)
        patch.setattr(footprints, "load", load)
        patch.setattr(footprints, "footprint", measured)
        patch.setattr("autotl.automl.graphs.footprint", measured)
        yield here


@pytest.fixture(scope="module")
def begun(machine, tmp_path_factory):
    """A run of the baseline and another backbone: its folder, and how a run there is fitted."""
    folder = tmp_path_factory.mktemp("begun")
    data = write_text_table(folder / "table.csv", rows=60)
    off = "".join(
        f"[strategies.{name}]\nenabled = false\n" for name in strategies() if name != BASELINE_STRATEGY
    )
    (folder / "space.toml").write_text(off + PORTFOLIO)

    def fit(out, trials, **parameters):
        told = []
        options = {"time_budget": None, "offline": True, "threads": 1, "cache_dir": folder / "cache"}
        options |= {"space": folder / "space.toml", "out": out, "listener": told.append, **parameters}
        return AutoTL(trials=trials, **options).fit(data), told

    fit(folder / "run", 2)
    return folder / "run", fit


@pytest.fixture
def go_on(begun, machine, tmp_path):
    """Goes on with a copy of the run; gives the model and what was told."""
    run, fit = begun
    shutil.copytree(run, tmp_path / "run")
    yield lambda trials, **parameters: fit(tmp_path / "run", trials, resume=True, **parameters)
    machine["first"] = True


def backbones(run):
    return {result.number: result.config.backbone for result in run.results()}


LIMITED = {"max_size_mb": 17}
CASES = {
    "a limit of size": (LIMITED, "20 MB on disk is over the limit of 17, measured"),
    "a licence": ({"license": "permissive"}, "licence other:research is not permissive; --license any"),
    "others asked for": ({"backbones": "second,third"}, "others were asked for"),
    "no weights": ({}, "unavailable: no package holds it"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_trials_of_a_backbone_that_is_out_stay_on_the_leaderboard_and_cannot_win(begun, go_on, machine, case):
    narrower, reason = CASES[case]
    before = backbones(RunFolder(begun[0]))
    assert before == {0: "first", 1: "second"}, "the baseline too is out then"
    machine["first"] = case != "no weights"
    model, told = go_on(4, **narrower)
    after = backbones(model.run_)
    assert {number: after[number] for number in before} == before
    assert len(after) == 4
    assert {after[2], after[3]} <= {"second", "third"}
    assert model.best_trial_.config.backbone in ("second", "third")
    (row,) = (row for row in model.leaderboard_.to_rows() if row["backbone"] == "first")
    assert (row["rank"], row["winner"]) == (None, False)
    assert reason in row["error"]
    assert any(isinstance(e, Note) and "first takes part no longer: " in e.message for e in told)
    said = {choice["name"]: choice for choice in model.run_.read_json("run.json")["backbones"]}
    assert [name for name, choice in said.items() if choice["included"]] == ["second", "third"]
    assert reason in said["first"]["reason"]
    assert (model.run_.path / "report.html").is_file()


@pytest.mark.slow
def test_what_is_allowed_again_takes_part_again(begun, go_on):
    narrow, _ = go_on(2, **LIMITED)
    assert narrow.run_.result(0).left_out
    wide, _ = go_on(2)
    assert wide.run_.result(0).left_out is None
    assert sorted(row["rank"] for row in wide.leaderboard_.to_rows()) == [1, 2]
    space = RunFolder(begun[0]).read_json("space.json")
    assert wide.run_.read_json("space.json") == space, "it is that which the run began with"


@pytest.mark.slow
def test_where_nothing_of_the_run_may_be_used_the_reasons_are_told_and_the_run_stays(begun, go_on, tmp_path):
    with pytest.raises(SpaceError, match=r"no backbone is left to search with; found .* over the limit of 5"):
        go_on(3, max_size_mb=5)
    with pytest.raises(SpaceError, match=r"begun without the backbones that are asked for; found another"):
        go_on(3, backbones="another")
    assert RunFolder(tmp_path / "run").results() == RunFolder(begun[0]).results()
