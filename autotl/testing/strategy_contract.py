"""`StrategyContract`: what every strategy must keep. Subclass it in a test module and fill in `strategy`.

class TestMyStrategy(StrategyContract):
    @pytest.fixture
    def strategy(self): return STRATEGY
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autotl.config import TrialConfig
from autotl.strategies.strategy import Run, Strategy
from autotl.task import TaskKind
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import KINDS, tiny_workbench
from autotl.training.workbench import Workbench


def run_to_end(run: Run) -> list[float]:
    """All scores of a run."""
    scores = []
    while not run.done:
        scores.append(run.step().score)
    return scores


def suited_workbench(strategy: Strategy, folder: Path) -> Workbench:
    """Three classes of images in front of a tiny backbone; of texts if the strategy suits no such network."""
    name = "image" if strategy.suits(tiny_image_backbone().info, TaskKind.MULTICLASS) else "text"
    return tiny_workbench(folder, name)


class StrategyContract:
    """Tests that any strategy passes. `short` may be replaced to keep a strategy's training quick."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        """The strategy under test."""
        raise AssertionError("the subclass gives the strategy under test")

    @pytest.fixture
    def short(self) -> dict[str, Any]:
        """Parameters that make a trial quick, where the strategy reads them."""
        return {"epochs": 2, "batch_size": 16, "augment": "none"}

    @pytest.fixture
    def bench(self, strategy: Strategy, tmp_path: Path) -> Workbench:
        """A data set of three classes in front of a tiny backbone that the strategy suits."""
        return suited_workbench(strategy, tmp_path)

    def config(self, strategy: Strategy, bench: Workbench, short: dict[str, Any]) -> TrialConfig:
        """The strategy's defaults, made quick."""
        profile = {"modality": bench.dataset.modality, "task": bench.task.to_json()}
        defaults = {name: domain.default for name, domain in strategy.parameters(profile).items()}
        quick = {name: value for name, value in short.items() if name in defaults}
        return TrialConfig(bench.backbone.info.name, strategy.name, {**defaults, **quick})

    def test_it_says_what_it_is(self, strategy: Strategy) -> None:
        """A name that can stand in a file, and one sentence."""
        assert strategy.name.isidentifier()
        assert strategy.summary.endswith(".")

    def test_it_suits_a_tiny_backbone(self, strategy: Strategy, bench: Workbench) -> None:
        """Else nothing of it would be tested."""
        assert strategy.suits(bench.backbone.info, bench.task.kind)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("name", ["image", "text"])
    def test_it_serves_every_kind_of_task(
        self, strategy: Strategy, short: dict[str, Any], tmp_path: Path, name: str, kind: TaskKind
    ) -> None:
        """Its defaults train, score and predict in the shape of the task."""
        bench = tiny_workbench(tmp_path, name, kind)
        if not strategy.suits(bench.backbone.info, kind):
            pytest.skip(f"{strategy.name} is not for {kind.value} tasks on {bench.backbone.info.name}")
        run = strategy.start(bench, self.config(strategy, bench, short))
        scores = run_to_end(run)
        assert all(math.isfinite(score) for score in scores)
        assert run.validation_outputs().shape == (12, bench.task.outputs)
        with torch.inference_mode():
            predicted = run.model().predict(bench.frozen.inputs.batch(bench.splits.test))
        assert predicted.shape == ((12,) if kind is TaskKind.REGRESSION else (12, bench.task.outputs))

    def test_the_model_gives_the_validation_outputs(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """The weights handed out are those that were scored."""
        run = strategy.start(bench, self.config(strategy, bench, short))
        run_to_end(run)
        assert run.depth == run.model().depths[-1]
        with torch.inference_mode():
            raw = run.model()(bench.frozen.inputs.batch(bench.splits.val))
        # Cached activations are float16.
        assert torch.allclose(raw, run.validation_outputs(), atol=0.02)

    def test_the_same_seed_gives_the_same_scores(
        self, strategy: Strategy, short: dict[str, Any], tmp_path: Path
    ) -> None:
        """Two runs from nothing agree exactly."""
        curves = []
        for attempt in ("first", "second"):
            folder = tmp_path / attempt / "bench"
            folder.mkdir(parents=True)
            bench = suited_workbench(strategy, folder)
            run = strategy.start(bench, self.config(strategy, bench, short))
            run_to_end(run)
            curves.append(run.validation_outputs())
        assert torch.equal(*curves)

    def test_a_paused_run_goes_on_as_if_never_paused(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """Two epochs in one go equal one epoch, a pause, and another."""
        config = self.config(strategy, bench, short)
        whole = strategy.start(bench, config)
        run_to_end(whole)
        paused = strategy.start(bench, config)
        paused.step()
        resumed = strategy.start(bench, config, paused.state())
        run_to_end(resumed)
        assert torch.allclose(resumed.validation_outputs(), whole.validation_outputs(), atol=1e-5)

    def test_the_final_state_rebuilds_the_model(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """What is stored of a finished trial is enough to export it later."""
        config = self.config(strategy, bench, short)
        run = strategy.start(bench, config)
        run_to_end(run)
        batch = bench.frozen.inputs.batch(bench.splits.test)
        rebuilt = strategy.start(bench, config, run.state(resumable=False))
        with torch.inference_mode():
            assert torch.allclose(rebuilt.model()(batch), run.model()(batch), atol=1e-6)

    def test_it_can_be_refitted_on_all_rows(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """The refit configuration trains without validation rows."""
        run = strategy.start(bench, self.config(strategy, bench, short))
        run_to_end(run)
        assert 0 < run.refit_share <= 1
        final = strategy.start(bench.with_all_rows(), run.refit_config())
        run_to_end(final)
        assert final.model().predict(bench.frozen.inputs.batch(bench.splits.test)).shape == (12, 3)

    def test_a_step_ends_at_the_deadline(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """Past the deadline a run takes one step at most and is done."""
        config = self.config(strategy, bench, {**short, "epochs": 3})
        run = strategy.start(replace(bench, deadline=time.monotonic() - 1.0), config)
        assert len(run_to_end(run)) == 1

    def test_the_pretrained_backbone_is_left_alone(
        self, strategy: Strategy, bench: Workbench, short: dict[str, Any]
    ) -> None:
        """Trials share it, so none may change its weights."""
        before = {k: v.clone() for k, v in bench.backbone.module.state_dict().items()}
        run_to_end(strategy.start(bench, self.config(strategy, bench, short)))
        after = bench.backbone.module.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)

    def test_a_longer_trial_costs_no_less(self, strategy: Strategy, bench: Workbench) -> None:
        """The predicted cost grows with rows, and never falls with epochs."""
        config = self.config(strategy, bench, {"epochs": 1})
        longer = self.config(strategy, bench, {"epochs": 4})
        assert 0 < strategy.cost(config, 1000, 10) < strategy.cost(config, 1000, 20)
        assert strategy.cost(longer, 1000, 10) >= strategy.cost(config, 1000, 10)
