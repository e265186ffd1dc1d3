"""Backbones are ranked by probes and prior, the better ones on more rows, within a share of the time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Choice
from autotl.errors import BackboneUnavailableError
from autotl.search.budget import Budget
from autotl.search.candidates import Candidate, backbone_ranks, expectation, fuse, suited_inputs
from autotl.search.ranking import rank_backbones
from autotl.space.space import Parameter, SearchSpace, StrategySpace
from autotl.trial.probe import ProbeScores

PRIORS = {"large": 0.80, "middle": 0.78, "small": 0.75, "tiny": 0.70}
MACS = {"large": 8, "middle": 4, "small": 2, "tiny": 1}


def info(name, **needs):
    facts = {"size": 224, **needs}
    return BackboneInfo(name, "image", "local", name, "MIT", True, 1, MACS[name], facts, prior=PRIORS[name])


INFOS = {name: info(name) for name in PRIORS}


def space(sizes=(0,), backbones=tuple(PRIORS)):
    parameters = (
        Parameter("depths", "depths", Choice(("last", "late"), "last")),
        Parameter("input_size", "input_size", Choice(tuple(sizes), 0)),
    )
    return SearchSpace(backbones, backbones[-1], (StrategySpace("linear_probe", backbones, parameters),))


@dataclass
class FakeProber:
    """Accuracies by backbone; the deeper set is better by a point, 128 px worse by ten."""

    accuracy: dict
    rows: int = 5000
    classes: int = 10
    pace: float = 0.0
    clock: list = field(default_factory=lambda: [0.0])
    seen: list = field(default_factory=list)
    broken: tuple = ()
    bonus_of_128: float = -0.1

    def seconds(self, config, rows):
        return self.pace * rows * MACS[config.backbone]

    def scores(self, config, rows, names, only=None):
        if config.backbone in self.broken:
            raise BackboneUnavailableError("no weights", found=config.backbone)
        self.clock[0] += self.seconds(config, rows)
        score = self.accuracy[config.backbone] + (self.bonus_of_128 if config.get("input_size") == 128 else 0)
        found = {(9,): score - 0.01, (5, 9): score}
        chosen = {depths: s for depths, s in found.items() if only is None or depths in only}
        self.seen.append((config.backbone, config.get("input_size"), rows, tuple(chosen)))
        return {depths: ProbeScores(s, s - 0.05, s, s) for depths, s in chosen.items()}


ACCURACY = {"large": 0.70, "middle": 0.85, "small": 0.80, "tiny": 0.60}


def ranks(ranking):
    return backbone_ranks(candidate.to_json() for candidate in ranking)


def test_the_better_half_is_looked_at_on_more_rows_and_comes_first():
    prober = FakeProber(ACCURACY)
    ranking = rank_backbones(space(), prober, INFOS, Budget(trials=9))
    assert ranks(ranking) == {"middle": 1, "small": 2, "large": 3, "tiny": 4}
    assert [(name, rows) for name, _, rows, _ in prober.seen] == [
        ("tiny", 250), ("small", 250), ("middle", 250), ("large", 250), ("middle", 750), ("small", 750)
    ]  # fmt: skip
    assert ranking[0].rows == 750
    assert [c.prior_rank for c in ranking if c.backbone == "middle"] == [2, 2]


def test_only_the_better_depths_of_those_that_go_on_are_scored_again():
    prober = FakeProber(ACCURACY)
    rank_backbones(space(), prober, INFOS, Budget(trials=9))
    assert {depths for _, _, rows, depths in prober.seen if rows > 250} == {((5, 9),)}


AMPLE = Budget(1e6, clock=lambda: 0.0)


#: H-score and LogME.
TIES = {"large": (2.0, 0.0), "middle": (1.0, 2.0), "small": (0.0, 0.0), "tiny": (1.0, 1.0)}


class Tied(FakeProber):
    """Accuracies and the other two scores by backbone, whatever the size."""

    def scores(self, config, rows, names, only=None):
        accuracy, (h_score, logme) = self.accuracy[config.backbone], TIES[config.backbone]
        return {(9,): ProbeScores(accuracy, accuracy, logme, h_score)}


def test_of_equals_to_a_thousandth_h_score_then_logme_then_cost_decides():
    accuracy = {"small": 0.803, "middle": 0.8002, "tiny": 0.8002, "large": 0.8}
    infos = {name: replace(found, prior=0.75) for name, found in INFOS.items()}
    ranking = rank_backbones(space((0, 448, 320)), Tied(accuracy, rows=250), infos, AMPLE)
    assert [(c.backbone, c.input_size) for c in ranking] == [
        *(("small", size) for size in (224, 320, 448)),
        *(("large", size) for size in (224, 320, 448)),
        ("middle", 224),
        ("tiny", 224),
    ]


def test_other_input_sizes_are_tried_of_the_better_half_and_the_best_is_handed_on():
    prober = FakeProber(ACCURACY, bonus_of_128=0.05)
    ranking = rank_backbones(space((0, 128)), prober, INFOS, AMPLE)
    assert {name for name, size, *_ in prober.seen if size == 128} == {"middle", "small"}
    assert ranking[0].input_size == 128
    assert suited_inputs(ranking, INFOS) == {
        "middle": {"input_size": 128}, "small": {"input_size": 128}, "large": {}, "tiny": {}
    }  # fmt: skip
    worse = FakeProber(ACCURACY)
    assert suited_inputs(rank_backbones(space((0, 128)), worse, INFOS, AMPLE), INFOS)["middle"] == {}


def test_where_trials_are_counted_each_network_is_probed_at_its_own_size():
    prober = FakeProber(ACCURACY, bonus_of_128=0.05)
    rank_backbones(space((0, 128)), prober, INFOS, Budget(trials=9))
    assert not [size for _, size, *_ in prober.seen if size == 128]


def test_a_network_of_one_size_is_probed_at_no_other():
    infos = {**INFOS, "middle": info("middle", fixed_size=True)}
    prober = FakeProber(ACCURACY)
    rank_backbones(space((0, 128)), prober, infos, AMPLE)
    assert {name for name, size, *_ in prober.seen if size == 128} == {"small"}


@pytest.mark.parametrize(
    ("backbones", "trials"), [(("small",), 9), (("large", "small"), 1)], ids=["one backbone", "one trial"]
)
def test_nothing_is_probed_where_there_is_nothing_to_choose(backbones, trials):
    prober = FakeProber(ACCURACY)
    assert rank_backbones(space(backbones=backbones), prober, INFOS, Budget(trials=trials)) == []
    assert prober.seen == []


@pytest.mark.parametrize("seconds", [30, 100, 300, 1000, 3000, 30_000])
def test_probing_takes_at_most_a_tenth_of_the_time(seconds):
    clock = [0.0]
    prober = FakeProber(ACCURACY, pace=0.01, clock=clock)
    budget = Budget(seconds, clock=lambda: clock[0])
    ranking = rank_backbones(space((0, 128)), prober, INFOS, budget)
    assert clock[0] <= 0.1 * seconds
    assert bool(ranking) == (seconds >= 100)
    assert len(ranks(ranking)) in (0, 4)


def test_what_could_not_be_afforded_comes_last_in_the_priors_order():
    clock = [0.0]
    prober = FakeProber(ACCURACY, pace=0.01, clock=clock)
    ranking = rank_backbones(space(), prober, INFOS, Budget(100, clock=lambda: clock[0]))
    assert ranks(ranking) == {"small": 1, "tiny": 2, "large": 3, "middle": 4}
    assert [(c.rows, c.ridge, c.fused) for c in ranking[-2:]] == [(0, None, None)] * 2


def test_a_backbone_that_cannot_be_loaded_is_told_and_left_to_its_trial():
    told = []
    prober = FakeProber(ACCURACY, broken=("middle",))
    ranking = rank_backbones(space(), prober, INFOS, Budget(trials=9), told.append)
    assert ranks(ranking)["middle"] == 4
    assert [event.message for event in told] == ["middle could not be probed: no weights; found middle."]


def test_few_rows_are_looked_at_once():
    prober = FakeProber(ACCURACY, rows=90)
    rank_backbones(space(), prober, INFOS, Budget(trials=9))
    assert {rows for *_, rows, _ in prober.seen} == {90}


def test_many_classes_get_rows_of_each():
    prober = FakeProber(ACCURACY, classes=150)
    rank_backbones(space(), prober, INFOS, Budget(trials=9))
    assert min(rows for *_, rows, _ in prober.seen) == 450


def candidate(name, accuracy, rows, prior):
    return Candidate(name, 224, "9", rows, accuracy, accuracy, 0.0, 0.0, prior, 1)


def test_the_prior_decides_between_probes_of_few_rows_and_not_of_many():
    for rows, better in ((30, "known"), (2000, "probed")):
        fused = fuse([candidate("known", 0.80, rows, 0.85), candidate("probed", 0.81, rows, 0.70)])
        assert max(fused, key=lambda c: c.fused).backbone == better


def test_fusing_keeps_equal_candidates_equal_and_near_their_accuracy():
    fused = fuse([candidate("a", 0.8, 250, 0.75), candidate("b", 0.8, 250, 0.75)])
    assert [c.fused for c in fused] == pytest.approx([0.8, 0.8])


def test_a_network_without_a_published_accuracy_is_neither_favoured_nor_put_back():
    fused = fuse([candidate("listed", 0.8, 250, 0.75), candidate("own", 0.8, 250, 0.0)])
    assert fused[0].fused == pytest.approx(fused[1].fused)


@pytest.mark.parametrize("accuracy", [-0.5, 0.0, 1.0])
def test_any_accuracy_can_be_fused(accuracy):
    fused = fuse([candidate("a", accuracy, 250, 0.75), candidate("b", 0.5, 250, 1.0)])
    assert all(0 < c.fused < 1 for c in fused)


def test_the_expectation_names_the_best_and_the_default():
    ranking = rank_backbones(space(), FakeProber(ACCURACY), INFOS, Budget(trials=9))
    assert expectation(ranking, "tiny") == (
        "time aside, middle is expected to do best: a probe of 750 rows gives 0.850; tiny 0.600"
    )
    assert "; small 0." in expectation(ranking, "middle")
