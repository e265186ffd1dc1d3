"""What a run hands to Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autotl import AutoTL
from autotl.automl.distributed import portable, ray_setup
from autotl.automl.settings import Settings
from autotl.data.splits import split
from autotl.errors import SettingsError
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder


def settings(**parameters):
    return Settings.of(AutoTL(engine="ray", **parameters).get_params())


def test_a_worker_is_given_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_up = tiny_dataset("image")
    dataset = replace(made_up, items=[Path(f"data/{i}.png") for i in range(len(made_up))])
    info = tiny_image_backbone().info
    infos = {
        "mine": replace(info, source="local", reference="weights/net.safetensors"),
        "hub": replace(info, source="timm", reference="resnet18"),
    }
    resources = Resources(torch.device("cpu"), 1, True, 0, Path("cache"))
    plan = portable(RunnerPlan(dataset, split(dataset, seed=0), infos, {}, RunFolder("runs/a"), resources))
    assert plan.dataset.items[1] == tmp_path / "data/1.png"
    assert plan.infos["mine"].reference == str(tmp_path / "weights/net.safetensors")
    assert plan.infos["hub"].reference == "resnet18"
    assert plan.folder.path == tmp_path / "runs/a"
    assert plan.resources.cache_dir == tmp_path / "cache"


def test_items_in_memory_stay_as_they_are():
    dataset = tiny_dataset("text")
    resources = Resources(torch.device("cpu"), 1, True, 0, Path("cache"))
    plan = RunnerPlan(dataset, split(dataset, seed=0), {}, {}, RunFolder("run"), resources)
    assert list(portable(plan).dataset.items) == list(dataset.items)


def test_a_trial_reserves_a_gpu_where_this_machine_trains_on_one():
    assert ray_setup(settings(), "cuda").trial_gpus == 1
    assert ray_setup(settings(), "cpu").trial_gpus == 0
    shared = ray_setup(settings(ray_address="auto", trial_cpus=2, trial_gpus=0.5), "cuda")
    assert (shared.address, shared.trial_cpus, shared.trial_gpus) == ("auto", 2, 0.5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trial_cpus": 0}, r"a trial cannot reserve so little; found trial_cpus=0, trial_gpus=None"),
        ({"trial_gpus": -1}, r"a trial cannot reserve so little; found trial_cpus=1, trial_gpus=-1"),
        ({"ray_address": "auto", "engine": "local"}, r"ray_address has no use; found engine='local'"),
    ],
)
def test_what_makes_no_sense_under_ray_is_refused(parameters, message):
    with pytest.raises(SettingsError, match=message):
        Settings.of(AutoTL(**{"engine": "ray", **parameters}).get_params())
