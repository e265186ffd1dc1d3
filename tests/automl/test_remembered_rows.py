"""A run leaves rows that its winner was fitted on, as the delivered bundle sees them."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
from small_spaces import small_space

from autotl import AutoTL
from autotl.automl import examples
from autotl.automl.reopen import reopen
from autotl.automl.time_plan import TimePlan
from autotl.data.dataset import Dataset, Splits
from autotl.serve.explain.neighbours import FILE, Examples
from autotl.serve.predictor import Predictor
from autotl.task import Task, TaskKind
from autotl.testing.bundles import write_lexicon_bundle
from autotl.testing.data import write_image_folder
from autotl.trial.run_folder import RunFolder

WORDS = ("great", "bad", "film", "sound")


@pytest.fixture
def delivery(tmp_path):
    """What `write_examples` reads of a delivery: 90 rows, and no features from a search."""
    task = Task(TaskKind.BINARY, ("good", "bad"), "accuracy")
    texts = [f"{WORDS[i % 4]} {WORDS[i // 4 % 4]}" for i in range(90)]
    targets = (np.arange(90) % 10 == 0).astype(np.int64)
    dataset = Dataset("text", task, texts, targets, [f"row {i}" for i in range(90)])
    rows = np.arange(90)
    folder = RunFolder(tmp_path / "run")
    folder.create()
    splits = Splits(rows[:60], rows[60:80], rows[80:])
    runner = SimpleNamespace(dataset=dataset, splits=splits, folder=folder)
    combinations = SimpleNamespace(members=lambda winner: [winner, winner])
    return SimpleNamespace(runner=runner, combinations=combinations)


@pytest.fixture
def predictor(tmp_path) -> Predictor:
    lexicon = dict(zip(WORDS, (4.0, -3.0, 0.0, 0.0), strict=True))
    return Predictor(write_lexicon_bundle(tmp_path / "model", lexicon), threads=1)


def test_no_test_row_is_kept_and_the_rare_class_is(delivery, predictor, monkeypatch):
    monkeypatch.setattr(examples, "MOST_ROWS", 20)
    count = examples.write_examples(delivery, predictor, None, seed=0, until=time.monotonic() + 60)
    found = Examples.read(delivery.runner.folder.path, predictor.bundle)
    numbers = [int(name.removeprefix("row ")) for name in found.names]
    assert count == len(set(numbers)) == 20
    assert max(numbers) < 80
    assert found.parts.tolist() == ["train" if number < 60 else "val" for number in numbers]
    assert found.targets.tolist() == [int(number % 10 == 0) for number in numbers]
    assert found.targets.sum() == 8
    texts = [delivery.runner.dataset.items[number] for number in numbers]
    assert np.allclose(found.features, predictor.embed(texts), atol=1e-3)


def test_time_bounds_the_rows_and_none_takes_stale_ones_away(delivery, predictor, monkeypatch):
    folder = delivery.runner.folder.path
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(examples.time, "monotonic", lambda: float(next(clock)))
    assert examples.write_examples(delivery, predictor, None, seed=0, until=45.0) == 32
    assert (folder / FILE).is_file()
    monkeypatch.undo()
    assert examples.write_examples(delivery, predictor, None, seed=0, until=time.monotonic() - 1) == 0
    assert not (folder / FILE).exists()


def test_they_get_a_small_share_of_what_is_left_and_nothing_at_the_end():
    plan = TimePlan(100.0, None, time.monotonic())
    assert plan.spare_deadline(is_measured=False) - time.monotonic() == pytest.approx(3.0, abs=0.5)
    late = TimePlan(100.0, None, time.monotonic() - 95)
    assert late.spare_deadline(is_measured=False) < time.monotonic()
    assert 0 < TimePlan(None, 1, time.monotonic()).spare_deadline(is_measured=False) - time.monotonic() < 60


@pytest.mark.slow
def test_a_run_takes_them_from_the_features_of_the_search(tmp_path, monkeypatch):
    data = write_image_folder(tmp_path / "data", classes=3, rows_per_class=12)
    how = {"time_budget": None, "trials": 1, "offline": True, "threads": 2, "experience": False}
    model = AutoTL(**how, space=small_space(tmp_path), out=tmp_path / "run").fit(data)
    found = Examples.read(tmp_path / "run", model.predictor_.bundle)
    rows = json.loads((tmp_path / "run" / "profile.json").read_text())["rows"]
    assert len(found.names) == rows["train"] + rows["val"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["examples"] == len(found.names)
    again = reopen(model.run_)
    items = dict(zip(again.runner.dataset.names, again.runner.dataset.items, strict=True))
    expected = model.predictor_.embed([items[name] for name in found.names[:10]])
    assert np.allclose(found.features[:10], expected, atol=2e-3 * np.abs(expected).max())
    monkeypatch.setattr(examples, "_features", lambda *_: pytest.fail("the network was run on rows again"))
    assert examples.write_examples(
        again, model.predictor_, model.best_trial_, seed=0, until=time.monotonic() + 60
    )
