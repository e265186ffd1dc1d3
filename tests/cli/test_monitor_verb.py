"""`autotl monitor`: exit codes for cron, a table that fits 80 columns, JSON, and a report folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_images(folder: Path, levels, seed: int = 0) -> Path:
    """Noisy grey images, one a level."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number, level in enumerate(levels):
        pixels = np.clip(level + rng.integers(-20, 20, (24, 24, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> dict[str, Path]:
    """Held-out pictures, new ones like them, brighter ones, and a few."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    return {
        "held out": write_images(root / "held_out", rng.uniform(40, 200, 80), 1),
        "like": write_images(root / "like", rng.uniform(40, 200, 60), 2),
        "bright": write_images(root / "bright", rng.uniform(150, 230, 60), 3),
        "few": write_images(root / "few", rng.uniform(40, 200, 8), 4),
    }


@pytest.fixture
def bundle(make_bundle, pictures) -> Path:
    """A bundle that describes the held-out pictures."""
    return described(make_bundle(), pictures)


def described(folder: Path, pictures) -> Path:
    """Let a bundle written by hand describe the held-out pictures."""
    from autotl.serve.bundle import manifest_sha256, sha256_of
    from autotl.serve.monitoring.reference import FILE, KEY, Reference
    from autotl.serve.predictor import Predictor

    predictor = Predictor(folder, threads=1)
    reference = Reference.of(predictor.task, *predictor.outputs(sorted(pictures["held out"].iterdir())))
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest[KEY] = reference.write(folder, predictor.task)
    manifest["files"][FILE] = {"sha256": sha256_of(folder / FILE)}
    manifest["sha256"] = manifest_sha256(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("inputs", "code", "verdict"),
    [("like", 0, "no drift found"), ("bright", 3, "drift"), ("few", 4, "too few rows")],
)
def test_the_exit_code_tells_the_verdict(call, bundle, pictures, inputs, code, verdict):
    result = call("monitor", bundle, pictures[inputs], "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (code, verdict)


def test_the_table_fits_eighty_columns(call, bundle, pictures, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = call("monitor", bundle, pictures["bright"])
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[0] == "60 rows against 80 of the test part"
    assert lines[1].split() == ["question", "answer", "what", "was", "seen", "p"]
    questions = [line.split()[0] for line in lines[2:] if line and not line.startswith((" ", "Drift"))]
    assert questions[:4] == ["inputs", "outliers", "classes", "confidence"]
    assert any(line.startswith("Drift: ") for line in lines)


def test_json_has_statistic_p_value_and_effect_of_each_question(call, bundle, pictures):
    found = json.loads(call("monitor", bundle, pictures["bright"], "--json").stdout)
    assert (found["rows"], found["reference_rows"], found["alpha"]) == (60, 80, 0.01)
    assert "classes" in found["drifted"]
    for finding in found["findings"]:
        assert 0 <= finding["p_value"] <= finding["corrected"] <= 1
        assert finding["effect"] >= 0
        assert finding["statistic"] is not None
        assert finding["effect_name"]
    (classes,) = (f for f in found["findings"] if f["name"] == "classes")
    assert classes["more"]["shares"]["bright"] == pytest.approx(1.0)


def test_out_leaves_a_report_and_a_plot(call, bundle, pictures, tmp_path):
    result = call("monitor", bundle, pictures["bright"], "--out", tmp_path / "a" / "drift")
    assert result.exit_code == 3
    found = json.loads((tmp_path / "a" / "drift" / "drift.json").read_text())
    assert found["verdict"] == "drift"
    assert (tmp_path / "a" / "drift" / "drift.svg").read_text().startswith("<svg ")
    assert sorted(path.name for path in (tmp_path / "a" / "drift").iterdir()) == ["drift.json", "drift.svg"]


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_other_kinds_of_task_are_monitored(call, make_bundle, pictures, kind):
    bundle = described(make_bundle(kind), pictures)
    assert call("monitor", bundle, pictures["like"]).exit_code == 0
    result = call("monitor", bundle, pictures["bright"], "--json")
    name = {"multilabel": "labels", "regression": "values"}[kind]
    assert result.exit_code == 3
    assert name in json.loads(result.stdout)["drifted"]


def test_a_bundle_without_statistics_is_told_what_to_do_and_that_works(call, make_bundle, pictures):
    bundle = make_bundle()
    result = call("monitor", bundle, pictures["like"])
    assert result.exit_code == 2
    assert f"autotl monitor {bundle} INPUT... --reference HELD_OUT" in result.stderr
    result = call("monitor", bundle, pictures["like"], "--reference", pictures["held out"])
    assert result.stdout.startswith("60 rows against 80 given with --reference")
    result = call("monitor", bundle, pictures["bright"], "--reference", pictures["held out"], "--json")
    assert (result.exit_code, json.loads(result.stdout)["part"]) == (3, "given")


def test_an_unreadable_input_is_left_out_and_counted(call, bundle, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    result = call("monitor", bundle, broken, pictures["like"], "--json")
    assert (result.exit_code, json.loads(result.stdout)["unreadable"]) == (0, 1)
    assert "broken.png" in result.stderr
    result = call("monitor", bundle, broken)
    assert result.exit_code == 2
    assert "no input can be read" in result.stderr


def test_changed_statistics_are_an_error_not_a_verdict(call, bundle, pictures):
    with (bundle / "monitoring.npz").open("ab") as file:
        file.write(b"more")
    result = call("monitor", bundle, pictures["like"])
    assert result.exit_code == 2
    assert "monitoring.npz was changed after the export" in result.stderr.replace("\n", " ")


def test_an_impossible_level_is_an_error(call, bundle, pictures):
    result = call("monitor", bundle, pictures["like"], "--alpha", "2")
    assert result.exit_code == 2
    assert "alpha is no level of significance; found 2.0" in result.stderr


def test_a_folder_that_cannot_be_written_is_named(call, bundle, pictures, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("monitor", bundle, pictures["like"], "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "cannot make the folder" in result.stderr
