"""Tables of measurements say what was reached, and what was missed."""

from __future__ import annotations

import json
import re

import pytest

from docs.making import figures
from docs.making.parts import PARTS, listed_files
from docs.making.site import complaints

ORIGIN = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc1234",
    "machine": "a machine",
    "profile": "quick",
}


def cells(text, first):
    line = next(line for line in text.splitlines() if line.startswith(f"| {first}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_missed_target_is_shown_as_missed_and_an_unknown_figure_as_not_measured(tmp_path):
    figures_of = {"scheduler_gap_points": 0.5, "first_model_seconds_median": 20.0, "head_trial_ms": 1.2}
    found = {**ORIGIN, **figures_of, "commits": {"cost": "abc1234", "scheduler": "def5678"}}
    (tmp_path / "ablations.json").write_text(json.dumps(found))
    text = figures.ablations(tmp_path)
    assert cells(text, "a tenth")[1:] == ["0.50 points", "at most 0.30 points", "**no**"]
    assert cells(text, "first model on disk")[1:] == ["20 s", "at most 40 s", "yes"]
    assert cells(text, "recording a trial")[1:] == ["1.2 ms", "at most 5 ms", "yes"]
    assert cells(text, "ahead of the ten lines, mean")[1:] == ["not measured", "at least +2 points", ""]
    assert cells(text, "the same, ranked by LogME")[1:] == ["not measured", "none", ""]
    assert "2026-01-02 at `abc1234`, `def5678`, on a machine" in text


def test_schedulers_are_compared_on_the_last_lines_that_were_not_shrunk_and_did_not_fail(tmp_path):
    row = {
        **ORIGIN,
        "profile": "full",
        "set": "x",
        "seed": 0,
        "minutes": [1, 5],
        "standard_error": [0.0, 0.0],
    }
    rows = [
        {**row, "arm": "simulated taught asha", "regret": [0.04, 0.02]},
        {**row, "arm": "simulated taught gain", "regret": [0.03, 0.01]},
        {**row, "arm": "simulated taught gain", "regret": [0.9, 0.9], "commit": "later", "profile": "quick"},
        {**row, "arm": "simulated taught gain", "regret": [0.02, 0.01], "commit": "later"},
        {**ORIGIN, "profile": "full", "set": "x", "arm": "simulated taught gain", "error": "ValueError: no"},
        {**row, "profile": "full sets=x", "arm": "real gain", "score": 0.5},
        {**row, "profile": "full sets=x", "arm": "real gain", "score": 0.91},
        {**row, "profile": "full sets=x", "arm": "real gain", "score": 0.95, "seed": 1},
        {**row, "profile": "full rows=50", "arm": "real gain", "score": 0.11},
        {**ORIGIN, "profile": "full sets=x", "set": "x", "arm": "real gain", "error": "OSError: no"},
        {**row, "profile": "full sets=y", "set": "y", "arm": "real asha", "score": 0.8},
    ]
    (tmp_path / "ablations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.schedulers(tmp_path)
    assert cells(text, "`gain`")[1:] == ["2.00 ± 0.00", "1.00 ± 0.00", "1"]
    assert cells(text, "`asha`")[1] == "4.00 ± 0.00"
    text = figures.schedulers_for_real(tmp_path)
    assert cells(text, "set") == ["set", "seed", "`gain`", "`asha`"]
    assert cells(text, "x")[1:] == ["0", "0.9100", "not measured"]
    assert cells(text, "y")[1:] == ["0", "not measured", "0.8000"]


def test_sets_of_the_ablations_are_shown_once_for_each_limit_of_rows(tmp_path):
    row = {**ORIGIN, "set": "x", "seed": 0, "target": "tenlines", "arm": "10m", "accuracy": 0.9}
    gain = {"value": 0.025, "low": -0.001, "high": 0.0512}
    row |= {"margin": 2.5, "ten_lines": {"score": 0.87, "refitted": 0.875, "gain": gain}}
    ranked = {**ORIGIN, "set": "x", "seed": 0, "target": "ranking", "arm": "tuned", "best": 0.951}
    ranked |= {"chosen": 0.95, "static": 0.9, "logme": 0.94, "ranking_seconds": 8.0, "tuning_seconds": 100.0}
    rows = [
        {**row, "accuracy": 0.5},
        {**row, "profile": "full sets=x"},
        {**row, "set": "later"},
        {**row, "arm": "3m", "accuracy": 0.7},
        {**row, "set": "before it was paired", "ten_lines": {"score": 0.87, "refitted": 0.875}},
        {**row, "profile": "full sets=x seconds=9", "accuracy": 0.4},
        {**row, "profile": "full", "accuracy": None, "error": "OSError: no"},
        {**ranked, "chosen": 0.1},
        {**ranked, "profile": "full sets=x rows=2000", "chosen": 0.2},
        ranked,
    ]
    (tmp_path / "ablations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.beside_ten_lines(tmp_path)
    assert cells(text, "x | 0 | all | 10m")[4:] == ["0.9000", "0.8750", "+2.50 points", "-0.10 to +5.12"]
    assert cells(text, "before it was paired")[-1] == "not measured"
    shown = re.findall(r"\n\| (x|later) \| 0 \| all \| (\w+)", text)
    assert shown == [("x", "3m"), ("x", "10m"), ("later", "10m")]
    text = figures.rankings(tmp_path)
    assert cells(text, "x")[1:] == ["0", "all", "0.951", "0.950", "0.900", "0.940", "8.0%"]
    assert cells(text, "x | 0 | 2,000")[4] == "0.200"
    assert text.count("| x |") == 2


def test_the_cache_is_shown_at_the_best_score_that_both_arms_reached(tmp_path):
    row = {**ORIGIN, "set": "x", "seed": 0, "target": "cache", "seconds": 100.4, "trials": 7}
    on, off = [[10.0, 0.8], [20.0, 0.9], [90.0, 0.95]], [[10.0, 0.8], [50.0, 0.9]]
    rows = [
        {**row, "arm": "on", "rises": [[1.0, 0.1]]},
        {**row, "arm": "on", "rises": on, "profile": "full sets=x"},
        {**row, "arm": "off", "rises": off, "profile": "full", "trials": 4},
    ]
    (tmp_path / "ablations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.cache(tmp_path)
    assert cells(text, "x")[1:] == ["0", "100 s", "7 and 4", "0.9000", "20 s", "50 s", "2.50"]
    assert text.count("| x |") == 1


def test_of_runs_measured_again_the_last_is_shown(tmp_path):
    row = {**ORIGIN, "set": "x", "seed": 0, "budget": "3m", "metric": "accuracy", "low": 0.8, "high": 0.95}
    rows = [{**row, "score": score, "target": 0.9, "first_model_seconds": 20.4} for score in (0.95, 0.85)]
    (tmp_path / "foundation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.foundation(tmp_path)
    assert cells(text, "x")[4:8] == ["0.8500", "0.800 to 0.950", "at least 0.9", "**no**"]
    assert text.count("| x |") == 1


def test_an_audit_that_misses_targets_says_which_and_one_without_leak_or_suspects_is_shown(tmp_path):
    row = {**ORIGIN, "rows": 2000, "copies": 0.95, "torn": None, "wrong_labels": 0.6, "precision": 0.5}
    rows = [
        {**row, "set": "good", "torn": 1.0, "leak": {"named": True}},
        {**row, "set": "bad", "wrong_labels": 0.187, "precision": 0.467, "leak": {"named": False}},
        {**row, "set": "values", "precision": None, "leak": None},
        {**row, "set": "older"},
    ]
    (tmp_path / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.audit(tmp_path)
    assert cells(text, "set")[2:4] == [
        "wrong labels found, at least 60%",
        "of its suspects wrong, at least 50%",
    ]
    assert cells(text, "good")[2:] == ["60%", "50%", "95%", "100%", "yes", "yes"]
    assert cells(text, "bad")[2:-1] == ["**19%**", "**47%**", "95%", "none planted", "**no**"]
    assert cells(text, "bad")[-1] == "**no**: wrong labels found, of its suspects wrong, leak named"
    assert cells(text, "values")[2:] == ["60%", "no suspects", "95%", "none planted", "none planted", "yes"]
    assert cells(text, "older")[-2:] == ["none planted", "yes"]


def test_latencies_are_shown_for_each_number_of_threads_and_judged_by_their_median(tmp_path):
    times = {"bundle_ms": 10.0, "torch_network_ms": 20.0}
    rows = [
        {
            **ORIGIN,
            "backbone": f"net-{number}",
            "model_mb": 13.5,
            "cold_start_seconds": 0.29,
            "threads_1": {**times, "bundle_share_of_torch": one},
            "threads_2": {**times, "bundle_share_of_torch": two},
        }
        for number, (one, two) in enumerate([(0.4, 0.7), (0.49, 0.51), (0.6, 0.45)])
    ]
    (tmp_path / "deliverable.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = figures.deliverable(tmp_path)
    assert cells(text, "net-0")[2:8] == ["10.0 ms", "20.0 ms", "40%", "10.0 ms", "20.0 ms", "70%"]
    assert cells(text, "share of torch's time, 1 thread")[1:] == ["49.0%", "at most 50%", "yes"]
    assert cells(text, "share of torch's time, 2 threads")[1:] == ["51.0%", "at most 50%", "**no**"]


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_a_table_with_rows_of_one_length(name):
    tables = [part.splitlines() for part in PARTS[name]().split("\n\n") if part.startswith("|")]
    assert tables
    for rows in tables:
        assert len(rows) > 2
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_the_listing_of_a_docstring_is_read_with_its_second_lines():
    text = "What.\n\n    a.json    one\n    b.json, c.csv\n    d/        three,\n              and more\n"
    assert list(listed_files(text)) == [("a.json", "one"), ("b.json, c.csv", ""), ("d/", "three, and more")]


def test_a_site_that_loads_from_elsewhere_is_found_out(tmp_path):
    (tmp_path / "own.js").write_text("")
    page = tmp_path / "index.html"
    page.write_text('<link rel="canonical" href="https://x.org/"><a href="//x">x</a><script src="own.js">')
    assert complaints(tmp_path) == []
    page.write_text('<script src="https://cdn.org/a.js"></script><img src="lost.png"><link href="//x/i">')
    (tmp_path / "own.css").write_text("a { src: url(own.woff2) } b { src: url('https://fonts.org/f') }")
    assert [line.split(" loads ")[1] for line in complaints(tmp_path)] == [
        "https://cdn.org/a.js from elsewhere",
        "lost.png, which is not there",
        "//x/i from elsewhere",
        "https://fonts.org/f from elsewhere",
    ]
