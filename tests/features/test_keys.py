"""Keys of cached features: equal for what gives equal features, another one for anything that does not."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autotl.features import keys
from autotl.features.keys import code_key, content_key, feature_facts, input_facts, key
from autotl.modalities.registry import modality
from autotl.testing.backbones import WORDS, tiny_image_backbone, tiny_text_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial.benches import specification

IMAGES = modality("image")
CPU = torch.device("cpu")


def spec_of(**params):
    return IMAGES.preprocessing(tiny_image_backbone().info.input, {}, params)


def name_of(dataset=None, backbone=None, device=CPU, **params):
    inputs = input_facts(dataset or tiny_dataset("image", rows=6), IMAGES, spec_of(**params))
    return key(feature_facts(inputs, backbone or tiny_image_backbone(), device))


def test_equal_inputs_have_one_key_whatever_their_targets_and_names():
    dataset = tiny_dataset("image", rows=6)
    other = replace(dataset, targets=dataset.targets[::-1].copy(), names=["x"] * 6, source="elsewhere")
    assert name_of(dataset) == name_of(other) == name_of()


def test_a_changed_item_changes_the_key():
    dataset = tiny_dataset("image", rows=6)
    items = [np.array(item) for item in dataset.items]
    items[3][0, 0, 0] ^= 1
    assert name_of(replace(dataset, items=items)) != name_of(dataset)


@pytest.mark.parametrize("rows", [[1, 0, 2, 3, 4, 5], [0, 1, 2, 3, 4]])
def test_another_order_or_number_of_rows_changes_the_key(rows):
    dataset = tiny_dataset("image", rows=6)
    assert name_of(dataset.take(np.array(rows))) != name_of(dataset)


def test_equal_pixels_in_another_format_change_the_key():
    dataset = replace(tiny_dataset("image", rows=1), fingerprints=("same",))
    found = [
        content_key(replace(dataset, items=[Path(name)]), IMAGES) for name in ("a.jpg", "b.JPG", "a.png")
    ]
    assert found[0] == found[1] != found[2]


def test_changed_weights_and_running_statistics_change_the_key():
    backbone, other = tiny_image_backbone(), tiny_image_backbone()
    before = name_of(backbone=backbone)
    assert name_of(backbone=tiny_image_backbone(seed=1)) != before
    with torch.no_grad():
        next(backbone.module.parameters()).view(-1)[0] += 1e-6
    assert name_of(backbone=backbone) != before
    with torch.no_grad():
        next(b for n, b in other.module.named_buffers() if "running_mean" in n)[0] += 1
    assert name_of(backbone=other) != before


def test_the_structure_and_the_normalisation_change_the_key():
    backbone, other = tiny_image_backbone(), tiny_image_backbone()
    backbone.module.add_module("further", torch.nn.ReLU())
    other.info = replace(other.info, input={**other.info.input, "mean": [0.4, 0.5, 0.5]})
    assert len({name_of(), name_of(backbone=backbone), name_of(backbone=other)}) == 3


@pytest.mark.parametrize("params", [{"input_size": 48}, {"fit": "crop"}])
def test_another_size_or_fit_changes_the_key(params):
    assert name_of(**params) != name_of()


def test_mixed_precision_and_batch_statistics_change_the_key():
    training = tiny_image_backbone()
    training.module.train()
    assert len({name_of(), name_of(device=torch.device("meta")), name_of(backbone=training)}) == 3


def test_another_format_or_library_changes_the_key(monkeypatch):
    before = name_of()
    monkeypatch.setattr(keys, "FORMAT", keys.FORMAT + 1)
    after = name_of()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert len({before, after, name_of()}) == 3


def test_another_tokenizer_changes_the_key_and_another_place_of_it_does_not(tmp_path):
    def name(folder, vocabulary):
        backbone = tiny_text_backbone(vocabulary=vocabulary, folder=tmp_path / folder)
        spec = specification(backbone, {}, {})
        return key(input_facts(tiny_dataset("text", rows=2), modality("text"), spec))

    assert name("one", WORDS) == name("two", WORDS) != name("two", WORDS[::-1])


def test_changed_code_of_a_modality_changes_the_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "my_modality"
    package.mkdir()
    (package / "__init__.py").write_text("class Mine:\n    name = 'mine'\n")
    (package / "augmentation.py").write_text("ANGLE = 10\n")
    thing = importlib.import_module("my_modality").Mine()
    before = code_key(thing)
    assert code_key(thing) == before
    (package / "augmentation.py").write_text("ANGLE = 20\n")
    assert code_key(thing) != before
    sys.modules.pop("my_modality")


def test_code_that_cannot_be_read_is_never_the_same():
    thing = type("Mine", (), {"__module__": "typed_in"})()
    assert code_key(thing) != code_key(thing)


@pytest.mark.parametrize("items", [["if x:\n  y", "z"], [("a b", "c"), ("d", "e")]])
def test_white_space_of_texts_changes_the_key_though_it_makes_no_other_text(items):
    text, dataset = modality("text"), replace(tiny_dataset("text", rows=2), items=items, fingerprints=())
    first = items[0]
    changed = first.replace("  ", " ") if isinstance(first, str) else ("a  b", "c")
    other = replace(dataset, items=[changed, items[1]])
    assert text.fingerprint(first) == text.fingerprint(changed)
    assert content_key(dataset, text) != content_key(other, text)
