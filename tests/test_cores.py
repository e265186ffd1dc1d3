"""What this machine computes with is told as far as the system tells it."""

from __future__ import annotations

import platform

from autotl import cores


def test_the_model_of_the_processor_is_read_where_the_system_names_it(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: A Processor: fast\nprocessor\t: 1\nmodel name\t: Another\n"
    )
    monkeypatch.setattr(cores, "_CPUINFO", path)
    assert cores.processor() == "A Processor: fast"


def test_where_it_names_none_the_kind_of_machine_stands_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "_CPUINFO", tmp_path / "nothing")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert cores.processor() == platform.machine()


def test_at_least_one_core_may_be_used():
    assert cores.usable_cores() >= 1
