"""The plot is well-formed for every kind of task, whatever the classes are called."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from drift_world import World

from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.plot import draw
from autotl.task import TaskKind

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("count", [1, 700])
def test_every_kind_of_task_is_drawn(kind, count):
    world = World(kind)
    rows = world.rows(count)
    monitor = Monitor(world.task, world.reference(100))
    root = ElementTree.fromstring(draw(monitor, rows.outputs, rows.features))
    assert len(root.findall(f".//{SVG}circle")) == 100 + min(count, 512)
    said = [text.text for text in root.iter(f"{SVG}text")]
    assert f"{count:,} new" in said
    if kind is TaskKind.MULTICLASS:
        assert {"<cat>", "dog & co"} <= set(said)


def test_points_far_outside_stay_within_the_frame():
    world = World()
    rows = world.rows(100, outside=0.05)
    rows.features[0] = 1e6
    monitor = Monitor(world.task, world.reference(100))
    root = ElementTree.fromstring(draw(monitor, rows.outputs, rows.features))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 <= float(circle.get("cx")) <= 300
        assert 0 <= float(circle.get("cy")) <= 250


def test_a_reference_without_rows_says_so():
    world = World()
    rows = world.rows(50)
    drawn = draw(Monitor(world.task, world.reference(100).without_rows()), rows.outputs, rows.features)
    assert "held-out rows were left out" in drawn
    assert drawn.count("<circle") == 50


def test_embeddings_of_one_dimension_are_drawn_on_a_line():
    world = World(width=1)
    rows = world.rows(50)
    root = ElementTree.fromstring(
        draw(Monitor(world.task, world.reference(100)), rows.outputs, rows.features)
    )
    assert len({circle.get("cy") for circle in root.iter(f"{SVG}circle")}) == 1
