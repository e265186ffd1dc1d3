"""What a user calls a backbone, and what an earlier run left, is found among the candidates."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from autotl import AutoTL
from autotl.automl import audit
from autotl.automl.inspect import _still, candidates, student_of
from autotl.automl.settings import Settings
from autotl.backbones.backbone import Availability
from autotl.backbones.catalogue import catalogue
from autotl.backbones.sources.finetuned import finetuned
from autotl.trial.run_folder import RunFolder

ASKED = ["e5-small", "intfloat/e5-small-v2", "hf:intfloat/e5-small-v2"]


def settings(folder, **parameters):
    return Settings.of(AutoTL(out=folder, cache_dir=folder, offline=True, **parameters).get_params())


@pytest.mark.parametrize("asked", ASKED)
def test_a_listed_backbone_is_the_same_by_its_name_and_its_hub_id(tmp_path, monkeypatch, asked):
    how = settings(tmp_path, backbones=asked, distill_to=asked)
    infos = candidates("text", how)
    assert infos == catalogue("text")
    assert student_of(infos.values(), asked) == "e5-small"
    assert _still(SimpleNamespace(backbones=("e5-small", "e5-base")), how, infos) == ("e5-small",)
    monkeypatch.setattr(audit, "availability", lambda *_, **__: Availability(True, "here"))
    assert audit._cheapest(infos, how) == infos["e5-small"]


def test_the_network_of_an_earlier_run_stays_when_that_run_is_gone(tmp_path):
    base = catalogue("image")["efficientnet-lite0"]
    network = finetuned(base, nn.Linear(1, 1), RunFolder(tmp_path).predecessor, "efficientnet-lite0@old")
    assert candidates("image", settings(tmp_path))[network.name] == network
