"""What a report says of how to repeat a run."""

from __future__ import annotations

from autotl.report.html import write_report
from autotl.report.provenance import command, provenance, resumed, settings

WEIGHTS = {
    "name": "vit",
    "source": "timm",
    "reference": "timm/vit_small",
    "licence": "Apache-2.0",
    "revision": "a1b2c3",
    "sha256": {"model.safetensors": "9f" * 32},
}


def test_weights_are_identified_by_revision_and_sha256():
    found = dict(provenance({"weights": WEIGHTS}))
    assert found["weights"] == "vit, timm timm/vit_small, Apache-2.0"
    assert found["revision of the weights"] == "a1b2c3"
    assert found["sha256 of the weights"] == f"model.safetensors {'9f' * 32}"


def test_a_revision_is_missed_only_where_there_should_be_one():
    packaged = dict(provenance({"weights": {**WEIGHTS, "revision": None}}))
    assert "revision of the weights" not in packaged
    assert dict(provenance({}))["revision of the weights"] == "not recorded"


def test_commands_are_lines_to_type():
    record = {
        "command": ["autotl", "fit", "my photos"],
        "resumed": [["autotl", "fit", "x", "--resume"], "AutoTL()"],
    }
    assert command(record) == "autotl fit 'my photos'"
    assert resumed(record) == ["autotl fit x --resume", "AutoTL()"]
    assert (command({}), resumed({"resumed": 3})) == ("", [])


def test_passwords_in_addresses_are_not_shown():
    address = "https://me:secret@host:5000/x"
    record = {"command": ["autotl", "fit", "d", "--mlflow", address], "settings": {"mlflow": address}}
    assert "secret" not in command(record) + str(settings(record))
    assert "host:5000/x" in command(record)


def test_the_page_shows_commands_weights_and_every_setting(make_run):
    run = make_run()
    record = run.read_json("run.json")
    record |= {
        "weights": WEIGHTS,
        "settings": {"seed": 3, "test_share": 0.2, "text": ["a", "b"], "val": None},
    }
    run.write_json("run.json", {**record, "resumed": [["autotl", "fit", "again", "--resume"]]})
    page = write_report(run).read_text()
    for said in (
        "a1b2c3",
        "9f" * 32,
        "test share",
        "a, b",
        "autotl fit again --resume",
        "It was then resumed",
    ):
        assert said in page
