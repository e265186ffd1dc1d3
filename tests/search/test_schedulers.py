"""Who gets the next epoch: each scheduler on hand-made boards, and all of them on recorded curves."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import DataError, SettingsError
from autotl.search.board import Board, Prospect, Standing
from autotl.search.budget import Budget
from autotl.search.candidates import Probed
from autotl.search.curves import Course, CurveModel, fresh_gain, log_errors
from autotl.search.lessons import lessons
from autotl.search.loop import run_search, score_noise
from autotl.search.promises import Promises
from autotl.search.schedulers.asha import Asha
from autotl.search.schedulers.gain import GainForTime
from autotl.search.schedulers.pasha import Pasha, highest_rung
from autotl.search.schedulers.scheduler import Verdict, scheduler, schedulers
from autotl.search.simulated import SimulatedBackend, Table, TableSpace
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import Price

EPOCHS = 9


def config(number, epochs=EPOCHS):
    return TrialConfig("net", "top_k", {"epochs": epochs, "row": number})


def curve(scores, seconds=1.0):
    return [EpochResult(i, score, 0.5, seconds) for i, score in enumerate(scores, start=1)]


def standing(number, scores, *, paused=False, seconds=1.0, epochs=EPOCHS):
    return Standing(
        number, config(number, epochs), curve(scores, seconds), [seconds] * len(scores), paused=paused
    )


def board(*trials, finished=(), **facts):
    return Board({trial.number: trial for trial in trials}, list(finished), **facts)


def finished(number, scores, state=TrialState.COMPLETE, seconds=1.0):
    points = tuple(curve(scores, seconds))
    return TrialResult(number, config(number), state, max(scores), points, seconds=seconds * len(scores))


def test_all_are_found_by_name_and_an_unknown_one_is_answered_with_them():
    assert {"fifo", "asha", "pasha", "gain"} <= set(schedulers())
    with pytest.raises(
        SettingsError, match=r"unknown scheduler; found 'sha'; expected asha, fifo, gain, pasha"
    ):
        scheduler("sha")


# --- ASHA -----------------------------------------------------------------------------------------------


def test_asha_pauses_at_a_rung_whoever_is_not_among_the_best_third():
    others = [standing(n, [0.5 + n / 100], paused=True) for n in range(3)]
    weak, strong = standing(8, [0.4]), standing(9, [0.9])
    assert Asha().judge(weak, board(*others, weak)) is Verdict.PAUSE
    assert Asha().judge(strong, board(*others, strong)) is Verdict.GO_ON
    between = standing(7, [0.4, 0.4])
    assert Asha().judge(between, board(*others, between)) is Verdict.GO_ON


def test_asha_promotes_from_the_highest_rung_first_then_begins_new_trials():
    low = [standing(n, [0.1 * n], paused=True) for n in range(3)]
    assert Asha().pick(board(*low), fresh=True) == 2
    high = [standing(10 + n, [0.5, 0.5, 0.5 + 0.1 * n], paused=True) for n in range(3)]
    assert Asha().pick(board(*low, *high), fresh=True) == 12
    assert Asha().pick(board(*low[:2]), fresh=True) is None
    assert Asha().pick(board(*low[:2]), fresh=False) == 1


# --- PASHA ----------------------------------------------------------------------------------------------


def test_pasha_stays_low_while_rungs_agree_and_rises_where_they_do_not():
    agreeing = [standing(n, [0.1 * n, 0.1 * n, 0.2 * n], paused=True) for n in range(1, 4)]
    assert highest_rung(board(*agreeing)) == 3
    crossing = [standing(n, [0.1 * n, 0.1 * n, 0.9 - 0.1 * n], paused=True) for n in range(1, 4)]
    assert highest_rung(board(*crossing)) == 9
    assert highest_rung(board(*crossing, noise=0.5)) == 3


def test_pasha_pauses_at_the_highest_rung_in_use():
    agreeing = [standing(n, [0.1 * n, 0.1 * n, 0.2 * n]) for n in range(1, 4)]
    assert Pasha().judge(agreeing[-1], board(*agreeing)) is Verdict.PAUSE
    waiting = [standing(n, [0.1 * n, 0.1 * n, 0.2 * n], paused=True) for n in range(1, 4)]
    assert Pasha().pick(board(*waiting), fresh=True) is None
    assert Pasha().pick(board(*waiting), fresh=False) == 3


# --- expected gain --------------------------------------------------------------------------------------


_ROSE = [0.5, 0.6, 0.65, 0.7, 0.74, 0.78, 0.8, 0.81]


def test_a_rising_curve_is_expected_to_gain_more_than_a_flat_one():
    rose, stood = (Course("full", log_errors(scores)) for scores in (_ROSE, [0.6] * 8))

    def gains(scores):
        return CurveModel([rose, stood], "full", noise=0.005).expected_gains(scores, 5, best=0.65)

    rising = gains([0.5, 0.6, 0.65])
    flat = gains([0.65, 0.65, 0.65])
    assert (np.diff(rising) >= 0).all()
    assert rising[-1] > 1.3 * flat[-1]
    hopeless = gains([0.1, 0.1, 0.1])
    assert hopeless[-1] < 0.01 * rising[-1]


def test_a_training_is_expected_to_go_the_way_of_another_that_was_alike_so_far():
    rose, stood = (Course("full", log_errors(scores)) for scores in (_ROSE, [0.6] * 8))
    model = CurveModel([rose, stood], "full", noise=0.005)
    curves, weights = model.forecast(_ROSE[:4], 4)
    assert curves.shape == (len(weights), 4)
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ curves == pytest.approx(np.array(_ROSE[4:]), abs=0.08)
    flat, weights = model.forecast([0.6] * 4, 4)
    assert weights @ flat == pytest.approx(np.full(4, 0.6), abs=0.08)


def test_the_rise_at_the_end_of_a_schedule_is_foretold_from_its_first_epoch():
    late = [0.5, 0.5, 0.52, 0.54, 0.56, 0.6, 0.8, 0.9]  # as where the learning rate falls at last
    gains = CurveModel([Course("full", log_errors(late))] * 3, "full", 0.005).expected_gains([0.7], 7, 0.9)
    assert gains[-1] > 0.01
    assert gains[-1] > 10 * gains[3]


def test_a_schedule_of_another_length_is_read_at_the_same_shares():
    model = CurveModel([Course("full", log_errors(_ROSE))] * 5, "full", 0.005)
    curves, weights = model.forecast([_ROSE[1]], 3)  # a quarter of it is done
    assert weights @ curves == pytest.approx(np.array(_ROSE[3::2]), abs=0.08)


def test_courses_of_the_same_strategy_and_of_this_data_set_count_more():
    def gain(*courses):
        return CurveModel(courses, "full", 0.005).expected_gains([0.5], 7, 0.5)[-1]

    rise, stay = log_errors(_ROSE), log_errors([0.5] * 8)
    assert gain(Course("full", rise), Course("top_k", stay)) > gain(
        Course("top_k", rise), Course("full", stay)
    )
    own, other = Course("full", rise, is_own=True), Course("full", rise)
    assert gain(own, Course("full", stay)) > gain(other, Course("full", stay))


def test_where_nothing_is_known_much_is_possible():
    assert CurveModel([], "full", 0.01).expected_gains([0.8], 7, 0.94)[-1] > 1e-3


def test_a_new_trial_promises_more_where_others_differ_more():
    assert fresh_gain([0.5, 0.9], 0.9, 0.01) > fresh_gain([0.89, 0.9], 0.9, 0.01)


def test_gain_goes_on_with_what_rises_fastest_per_second():
    slow = standing(1, [0.5, 0.6, 0.65], paused=True, seconds=60.0)
    quick = standing(2, [0.5, 0.6, 0.65], paused=True, seconds=1.0)
    done = [finished(n, [0.6, 0.62, 0.64]) for n in range(10, 14)]
    timed = board(slow, quick, finished=done, noise=0.01, seconds_left=1e6)
    assert GainForTime().pick(timed, fresh=False) == 2
    assert GainForTime().judge(slow, timed) is Verdict.PAUSE
    counted = board(slow, quick, finished=done, noise=0.01)
    assert GainForTime().pick(counted, fresh=False) == 1, "where trials are counted no clock decides"


def test_gain_does_not_take_the_luckiest_of_few_rows_for_out_of_reach():
    heads = [TrialConfig("net", "linear_probe", {"row": row}) for row in range(9)]
    scores = (0.92, 0.80, 0.82, 0.83, 0.81, 0.82, 0.81, 0.82)
    done = [replace(finished(n, [score]), config=heads[n]) for n, score in enumerate(scores)]
    facts = {"finished": done, "offers": [Prospect(heads[8], Price(1.0, 1.0))], "seconds_left": 100.0}
    assert GainForTime().enough(board(noise=0.05, **facts)) is None
    assert "expected to gain" in str(GainForTime().enough(board(noise=0.005, **facts)))


def test_gain_lets_a_trial_go_on_where_no_other_may_begin():
    flat = standing(1, [0.65, 0.65], seconds=10.0, epochs=3)
    apart = [finished(n, [0.1 * n]) for n in range(2, 8)]
    facts = {"finished": apart, "noise": 0.01, "seconds_left": 1e6}
    assert GainForTime().judge(flat, board(flat, **facts)) is Verdict.PAUSE
    assert GainForTime().judge(flat, board(flat, may_begin=False, **facts)) is Verdict.GO_ON


def test_gain_prefers_the_greater_gain_unless_its_time_costs_more():
    quick = standing(1, [0.5, 0.6, 0.64], paused=True, seconds=1.0)
    done = [finished(n, [0.6, 0.62, 0.64]) for n in range(10, 14)]
    for seconds, chosen in ((1.0, 2), (60.0, 1)):
        more = standing(2, [0.5, 0.6, 0.65], paused=True, seconds=seconds)
        facts = {"finished": done, "noise": 0.01, "seconds_left": 1e6}
        assert GainForTime().pick(board(quick, more, **facts), fresh=False) == chosen


def test_gain_begins_a_new_trial_where_its_own_kind_is_cheap_and_good():
    waiting = standing(1, [0.6, 0.66], paused=True, seconds=10.0)
    done = [finished(n, [0.5 + 0.05 * n]) for n in range(2, 5)]
    heads = [
        replace(finished(n, [0.5]), config=TrialConfig("net", "linear_probe", {"row": n})) for n in (6, 7, 8)
    ]
    facts = {"finished": [*done, *heads], "noise": 0.01, "seconds_left": 1e6}
    cheap, dear = (Prospect(config(9), Price(seconds)) for seconds in (0.1, 1e4))
    assert GainForTime().pick(board(waiting, offers=[dear, cheap], **facts), fresh=True) is None
    assert GainForTime().pick(board(waiting, offers=[dear], **facts), fresh=True) == 1
    poor = Prospect(heads[0].config, Price(0.1))
    assert GainForTime().pick(board(waiting, offers=[poor], **facts), fresh=True) == 1
    assert GainForTime().enough(board(waiting, offers=[poor], **facts)) is None, "others may come after it"


def test_gain_chooses_the_offer_of_the_best_kind_and_the_cheaper_of_two_alike():
    done = [finished(n, [0.5 + 0.05 * n]) for n in range(2, 5)]
    heads = [
        replace(finished(n, [0.3]), config=TrialConfig("net", "linear_probe", {"row": n})) for n in (6, 7, 8)
    ]
    facts = {"finished": [*done, *heads], "noise": 0.01, "seconds_left": 1e6}
    weak, strong = TrialConfig("net", "linear_probe", {"row": 9}), config(4)
    offers = [Prospect(weak, Price(1.0)), Prospect(strong, Price(1.0))]
    assert GainForTime().choose(board(offers=offers, **facts)) == 1
    alike = [Prospect(strong, Price(1e4)), Prospect(strong, Price(1.0))]
    assert GainForTime().choose(board(offers=alike, **facts)) == 1
    started = board(offers=offers, finished=done[:1])
    assert GainForTime().choose(started) == 0, "the sampler's order at first"


def test_gain_chooses_by_what_other_data_sets_teach():
    offers = [Prospect(config(1)), Prospect(config(8))]
    taught = lessons([(config(row), curve([0.5 + 0.05 * row])) for row in range(1, 9)])
    facts = {"finished": [finished(4, [0.7]), finished(5, [0.7])], "offers": offers, "noise": 0.01}
    assert GainForTime().choose(board(**facts)) == 0
    assert GainForTime().choose(board(lessons=taught, **facts)) == 1
    first = {**facts, "finished": facts["finished"][:1]}
    assert GainForTime().choose(board(lessons=taught, **first)) == 0, "what heads the portfolio"
    worse = lessons([(config(row), curve([0.9 - 0.05 * row])) for row in range(1, 9)])
    assert GainForTime().choose(board(lessons=worse, **facts)) == 0


def test_gain_tries_first_what_a_probe_of_the_same_rows_says_is_better():
    heads = [TrialConfig(name, "linear_probe", {"row": 1}) for name in ("net", "worse", "better")]
    done = [
        replace(finished(n, [0.7]), config=TrialConfig("net", "linear_probe", {"row": n})) for n in (1, 2)
    ]
    taught = lessons([(config(row), curve([0.5 + 0.05 * row])) for row in range(1, 9)])
    facts = {"finished": done, "offers": [Prospect(head, Price(1.0)) for head in heads], "noise": 0.01}
    facts |= {"lessons": taught, "seconds_left": 1e6}
    probes = [
        Probed(name, 0.5 + gain, 250) for name, gain in (("better", 0.1), ("net", 0.0), ("worse", -0.1))
    ]
    assert GainForTime().choose(board(probes=probes, **facts)) == 2
    swapped = [replace(probe, accuracy=1.0 - probe.accuracy) for probe in probes]
    assert GainForTime().choose(board(probes=swapped, **facts)) == 1
    elsewhere = [replace(probe, backbone=f"not {probe.backbone}") for probe in probes]
    plain = GainForTime().choose(board(**facts))
    assert GainForTime().choose(board(probes=elsewhere, **facts)) == plain, "nothing to compare with"


def test_gain_expects_of_a_probed_backbone_what_a_head_on_another_reached_and_the_difference():
    done = [replace(finished(1, [0.75]), config=TrialConfig("net", "linear_probe", {}))]
    probes = [Probed("net", 0.64, 250), Probed("better", 0.75, 250)]
    (found,) = Promises(board(finished=done, probes=probes, noise=0.01))._probed
    assert found.merit == pytest.approx(-0.5 + (-0.5 + 0.6))
    assert found.noise == pytest.approx(np.hypot(0.5 * 0.0274 / 0.5, 0.5 * 0.0304 / 0.6), rel=1e-2)
    tried = replace(done[0], config=TrialConfig("better", "linear_probe", {}), number=2)
    assert Promises(board(finished=[*done, tried], probes=probes, noise=0.01))._probed == []
    losses = [replace(done[0], score=-0.4, curve=tuple(curve([-0.4])))]
    assert Promises(board(finished=losses, probes=probes, noise=0.01))._probed == []


@pytest.mark.parametrize("slow", [1, 7, 8])
def test_gain_looks_at_no_clock_where_only_trials_are_counted(slow):
    """The times of what taught the offers are those of a machine that had other things to do now and then."""
    offers = [Prospect(config(7)), Prospect(config(8))]
    taught = [(config(row), curve([0.5 + 0.01 * row], 1e3 if row == slow else 1.0)) for row in range(1, 9)]
    facts = {"finished": [finished(4, [0.7]), finished(5, [0.7])], "offers": offers, "noise": 0.01}
    assert GainForTime().choose(board(lessons=lessons(taught), **facts)) == 1


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_gain_judges_losses_in_their_own_unit(unit):
    noise = score_noise(-0.4 * unit, 200)
    done = [finished(n, [-0.6 * unit, -0.45 * unit, -0.4 * unit]) for n in range(10, 14)]
    hopeless = standing(1, [-2.0 * unit, -1.999 * unit, -1.998 * unit])
    rising = standing(2, [-0.7 * unit, -0.5 * unit, -0.42 * unit])
    facts = {"finished": done, "noise": noise, "may_begin": False}
    assert GainForTime().judge(hopeless, board(hopeless, **facts)) is Verdict.STOP
    assert GainForTime().judge(rising, board(rising, **facts)) is Verdict.GO_ON


def test_gain_stops_what_cannot_reach_the_best():
    weak = standing(1, [0.3, 0.301, 0.302, 0.302])
    best = [finished(n, [0.88, 0.9, 0.9]) for n in range(10, 14)]
    assert GainForTime().judge(weak, board(weak, finished=best, noise=0.01)) is Verdict.STOP


def test_gain_ends_a_search_in_which_nothing_is_left_to_gain():
    flat = [finished(n, [0.9, 0.9, 0.9]) for n in range(5)]
    dear = standing(9, [0.9, 0.9], paused=True, seconds=1000.0)
    told = GainForTime().enough(board(dear, finished=flat, noise=0.01, seconds_left=2.0))
    assert told == "nothing that is left is expected to gain"
    hopeless = standing(9, [0.75, 0.75], paused=True)
    facts = {"finished": flat, "noise": 0.01, "may_begin": False}
    assert "expected to gain less than" in str(GainForTime().enough(board(hopeless, **facts)))
    apart = [finished(n, [0.1 * n] * 3) for n in range(5)]
    assert GainForTime().enough(board(finished=apart, noise=0.01)) is None


def test_gain_goes_on_while_an_offer_fits_the_time_left():
    done = [finished(n, [0.1 * n] * 3, seconds=20.0) for n in range(5)]
    facts = {"finished": done, "noise": 0.01, "seconds_left": 30.0}
    head = TrialConfig("net", "linear_probe", {"row": 1})
    assert GainForTime().enough(board(offers=[Prospect(head, Price(2.0))], **facts)) is None
    assert GainForTime().enough(board(offers=[Prospect(head, Price(40.0))], **facts)) is not None


def test_gain_prefers_what_can_be_finished_where_the_time_is_nearly_over():
    heads = [TrialConfig("net", "linear_probe", {"row": row}) for row in (0, 1, 2, 3, 9)]
    trainings = [TrialConfig("net", "full", {"epochs": 4, "row": row}) for row in (0, 1, 2, 3, 9)]
    done = [replace(finished(row, [0.6 + 0.03 * row], seconds=8.0), config=heads[row]) for row in range(4)]
    done += [
        replace(finished(4 + row, [0.5, 0.6, 0.7 + 0.03 * row], seconds=10.0), config=trainings[row])
        for row in range(4)
    ]
    offers = [Prospect(heads[-1], Price(10.0, 10.0)), Prospect(trainings[-1], Price(10.0, 40.0))]
    facts = {"finished": done, "noise": 0.01, "offers": offers}
    assert GainForTime().choose(board(seconds_left=1000.0, **facts)) == 1
    assert GainForTime().choose(board(seconds_left=11.0, **facts)) == 0


def test_gain_does_not_put_off_what_gains_most_until_there_is_no_time_for_it():
    heads = [TrialConfig("net", "linear_probe", {"row": row}) for row in range(5)]
    done = [replace(finished(row, [0.29 + 0.14 * row], seconds=10.0), config=heads[row]) for row in range(4)]
    rising = standing(9, [0.5, 0.62, 0.68], seconds=30.0, epochs=6)
    offers = [Prospect(heads[4], Price(2.0, 2.0))]
    facts = {"finished": done, "noise": 0.01, "offers": offers}
    assert GainForTime().judge(rising, board(rising, seconds_left=200.0, **facts)) is Verdict.PAUSE
    assert GainForTime().judge(rising, board(rising, seconds_left=91.0, **facts)) is Verdict.GO_ON


def test_gain_lets_a_training_run_on_into_an_epoch_that_the_clock_cuts_short():
    rising = standing(9, [0.5, 0.62, 0.68], seconds=30.0, epochs=6)
    done = [finished(row, [0.6]) for row in range(4)]

    def verdict(seconds_left):
        return GainForTime().judge(
            rising, board(rising, finished=done, noise=0.01, seconds_left=seconds_left)
        )

    assert verdict(15.0) is Verdict.GO_ON
    assert verdict(5.0) is Verdict.PAUSE


def test_gain_chooses_although_the_time_has_just_run_out():
    done = [finished(number, [0.5, 0.6, 0.7]) for number in range(4)]
    offers = [Prospect(config(number), Price(1.0, 3.0)) for number in (8, 9)]
    facts = {"finished": done, "offers": offers, "seconds_left": 0.0, "may_begin": False}
    assert GainForTime().choose(board(**facts)) in (0, 1)


def test_noise_is_that_of_a_share_of_rows():
    assert score_noise(0.9, 100) == pytest.approx(0.03)
    assert score_noise(1.0, 100) > 0
    assert score_noise(-math.inf, 100) == pytest.approx(0.05)
    assert score_noise(0.9, 0) == 0.0
    assert score_noise(-20.0, 200) == pytest.approx(1.0), "a root mean square error of 20"


# --- on recorded curves ---------------------------------------------------------------------------------


def table(path, rows=30, seed=0):
    """Power-law curves whose height the first epochs tell in part."""
    random = np.random.default_rng(seed)
    lines = []
    for row in range(rows):
        top, start = 0.95 - 0.3 * random.random(), 0.3 * random.random()
        power = random.uniform(0.5, 2.0)
        scores = [top - start * t**-power + random.normal(0, 0.003) for t in range(1, EPOCHS + 1)]
        seconds = float(random.uniform(5, 20))
        points = [
            {"epoch": t, "score": score, "train_loss": 0.5, "seconds": seconds}
            for t, score in enumerate(scores, start=1)
        ]
        line = {"config": config(row).to_json(), "curve": points, "validation_rows": 600}
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")
    return Table.read(path)


def replayed(recorded, name, folder, seconds, seed=0):
    backend = SimulatedBackend(recorded)
    budget = Budget(seconds, start=0.0, clock=backend.now)
    return run_search(
        TableSpace(recorded, seed),
        None,
        RunFolder(folder),
        budget=budget,
        backend=backend,
        judge=scheduler(name),
        validation_rows=500,
    ), backend


@pytest.mark.parametrize("name", ["fifo", "asha", "pasha", "gain"])
def test_every_scheduler_replays_to_whole_results_within_its_time(name, tmp_path):
    recorded = table(tmp_path / "made_up.jsonl")
    results, backend = replayed(recorded, name, tmp_path / name, 600.0)
    assert backend.now() <= 620.0
    assert {r.state for r in results} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert [r.number for r in results] == list(range(len(results)))
    for result in results:
        assert result.curve == recorded.curves[result.config.key][: len(result.curve)]
        assert result.score == max(e.score for e in result.curve)


@pytest.mark.parametrize("name", ["asha", "gain"])
def test_pausing_finds_better_trials_in_the_same_time(name, tmp_path):
    regrets = {"fifo": [], name: []}
    for seed in range(6):
        recorded = table(tmp_path / f"made_up{seed}.jsonl", rows=60, seed=seed)
        for who, found in regrets.items():
            results, _ = replayed(recorded, who, tmp_path / f"{who}{seed}", 900.0, seed)
            found.append(recorded.best - max(r.score for r in results))
    assert np.mean(regrets[name]) < np.mean(regrets["fifo"])


def test_two_slots_run_side_by_side_on_the_simulated_clock(tmp_path):
    recorded = table(tmp_path / "made_up.jsonl", rows=4)
    backend = SimulatedBackend(recorded, slots=2)
    run_search(
        TableSpace(recorded, 0),
        None,
        RunFolder(tmp_path / "run"),
        budget=Budget(1e6, start=0.0, clock=backend.now),
        backend=backend,
    )
    assert backend.now() < 0.8 * recorded.seconds


def test_what_is_put_first_comes_before_the_order_of_the_seed(tmp_path):
    recorded = table(tmp_path / "made_up.jsonl", rows=6)
    first = [recorded.configs[4], recorded.configs[1]]
    order = TableSpace(recorded, 3, first).portfolio()
    assert order[:2] == first
    assert order[2:] == [c for c in TableSpace(recorded, 3).portfolio() if c not in first]


def test_a_table_tells_how_many_rows_its_scores_rest_on(tmp_path):
    path = tmp_path / "recorded.jsonl"
    assert table(path, rows=2).validation_rows == 600
    path.write_text(path.read_text().replace(', "validation_rows": 600', ""))
    assert Table.read(path).validation_rows == 0


def test_a_torn_table_is_named_with_its_line(tmp_path):
    path = tmp_path / "torn.jsonl"
    table(path, rows=2)
    path.write_text(path.read_text() + '{"config":\n')
    with pytest.raises(DataError, match=r"cannot read a table of trials; found .*torn\.jsonl, line 3"):
        Table.read(path)
    path.write_text("")
    with pytest.raises(DataError, match="a table of trials is empty"):
        Table.read(path)
