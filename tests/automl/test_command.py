"""The command that repeats a run, from the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotl import AutoTL
from autotl.automl.command import command, resumed
from autotl.automl.settings import Settings

NOTEBOOK = ["/usr/lib/ipykernel_launcher.py", "-f", "/tmp/kernel.json"]


def settings(**parameters):
    return Settings.of(AutoTL(**parameters).get_params())


@pytest.mark.parametrize("program", ["/venv/bin/autotl", "autotl.exe", "/x/autotl/cli/__main__.py"])
def test_what_was_typed_is_the_command(program):
    typed = [program, "fit", "my photos", "--time", "3m"]
    assert command(settings(), Path("my photos"), None, typed) == ["autotl", *typed[1:]]


def test_options_before_the_verb_are_kept():
    typed = ["autotl", "--debug", "demo", "image"]
    assert command(settings(), Path("x"), None, typed) == typed


@pytest.mark.parametrize(
    "arguments", [NOTEBOOK, ["fit.py"], [""], ["autotl", "ui", "runs"], ["/fit/train.py", "fit"]]
)
def test_elsewhere_it_is_the_call_with_what_differs_from_the_defaults(arguments):
    asked = settings(time_budget="90s", metric="macro_f1", backbones="a, b", out="runs/x", threads=2)
    assert command(asked, Path("data/mails.csv"), None, arguments) == (
        "AutoTL(time_budget=90, metric='macro_f1', backbones=['a', 'b'], threads=2, out='runs/x')"
        ".fit('data/mails.csv')"
    )


def test_the_call_asks_for_the_same_settings(tmp_path):
    asked = settings(
        time_budget=None, trials=3, text=["a", "b"], quality="best", test_share=0.3, experience=False,
        cache_dir=tmp_path, val="val.csv", cache_limit="5GB", seed=7, out="runs/x", resume=True,
    )  # fmt: skip
    call = command(asked, "d.csv", None, NOTEBOOK)
    model = eval(call.removesuffix(".fit('d.csv')"), {"AutoTL": AutoTL})
    assert Settings.of(model.get_params()) == asked


def test_data_in_memory_are_said_to_be_that():
    assert command(settings(out="r"), ["a"] * 1200, ["x"] * 1200, NOTEBOOK) == (
        "AutoTL(out='r').fit(data, labels)  # data: list of 1,200"
    )
    assert command(settings(out="r"), iter("a"), None, NOTEBOOK).endswith(
        ".fit(data)  # data: str_ascii_iterator"
    )


def test_a_run_that_goes_on_keeps_its_first_command():
    first, second, third = (["autotl", "fit", "d", word] for word in ("--seed=1", "--resume", "--trials=9"))
    once = resumed({"command": first}, second)
    assert once == {"command": first, "resumed": [second]}
    assert resumed(once, third) == {"command": first, "resumed": [second, third]}
