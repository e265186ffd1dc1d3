"""A modality, a strategy and a source from outside the package, taken from raw files to a served bundle.

The distribution written here is all that a third party would write: one folder for the modality, one file
each for the strategy and the source of its backbone, and entry points. Nothing inside autotl knows of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MODALITY = '''
"""Vectors of eight numbers, one a file, separated by blanks."""
import hashlib
from pathlib import Path

import numpy as np

from autotl.config import Choice
from autotl.errors import DecodeError
from autotl.modalities.preprocessing import PreprocessingSpec


def read(item):
    try:
        text = item if not isinstance(item, Path) else item.read_text()
        return np.array(text.split(), np.float32)
    except (OSError, ValueError) as error:
        raise DecodeError("no vector", found=str(item)) from error


class Decoder:
    ragged = False

    def __init__(self, spec):
        self.scale = spec.options["scale"]

    def decode(self, item):
        return {"vector": read(item) * np.float32(self.scale)}

    def collate(self, examples):
        return {"vector": np.stack([example["vector"] for example in examples])}

    def length(self, example):
        return example["vector"].shape


class Vectors:
    name = "vector"
    extensions = frozenset({".vec"})
    augmentations = ("none",)

    def parameters(self):
        return {"scale": Choice((1.0, 0.5), 1.0)}

    def sniff(self, values):
        return float(np.mean([str(value).endswith(".vec") for value in values]))

    def fingerprint(self, item):
        return hashlib.sha256(read(item).tobytes()).hexdigest()

    def near_key(self, item):
        return np.frombuffer(hashlib.sha256(read(item).tobytes()).digest(), np.uint64)

    def near_bits(self):
        return 0

    def is_empty(self, item):
        return not read(item).any()

    def describe(self, items):
        return {"length": len(read(items[0]))}

    def preprocessing(self, requirements, description, params):
        return PreprocessingSpec(self.name, {"scale": float(params.get("scale", 1.0))})

    def decoder(self, spec):
        return Decoder(spec)

    def graph(self, spec):
        return None

    def augment(self, batch, strength, generator):
        return batch


MODALITY = Vectors()
'''

SOURCE = """
import torch
from torch import nn

from autotl.backbones.backbone import Availability
from autotl.backbones.network import BlockBackbone


class Block(nn.Module):
    def __init__(self, inputs, outputs, key):
        super().__init__()
        self.linear, self.key = nn.Linear(inputs, outputs), key

    def forward(self, batch):
        return {"hidden": torch.relu(self.linear(batch[self.key]))}


class ToySource:
    name = "toy"

    def availability(self, info, *, offline):
        return Availability(True, "made on the spot")

    def load(self, info, *, offline, pretrained=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            blocks = [Block(8, 16, "vector"), Block(16, 16, "hidden"), Block(16, 16, "hidden")]
        pool = lambda hidden, depth, total: hidden["hidden"]
        return BlockBackbone(info, blocks, pool, {"vector": torch.zeros(1, 8)})


SOURCE = ToySource()
"""

STRATEGY = '''
from autotl.config import Choice
from autotl.strategies.gradient import GradientStrategy
from autotl.training.plan import Plan


class LastBlock(GradientStrategy):
    """Trains the last block alone."""

    name = "last_block"
    summary = "Trains the last block alone."

    def own_parameters(self):
        return {"twist": Choice(("left", "right"), "left")}

    def plan(self, config, depth):
        return Plan(cut=depth - 1, first_trained=(depth - 1,))


STRATEGY = LastBlock()
'''

SPACE = """
[parameters.epochs]
low = 2
high = 3
default = 2

[[portfolio]]
strategy = "linear_probe"

[[portfolio]]
strategy = "last_block"

[[backbones]]
name = "toy-network"
source = "toy"
reference = "toy"
licence = "Apache-2.0"
commercial = true
parameters = 688
macs = 640
input = {}
"""

FIT = """
import json, sys
from autotl import AutoTL
model = AutoTL(space="space.toml", time_budget=None, trials=2, offline=True, out="run").fit("data")
print(json.dumps([[r.config.strategy, r.state.value, r.error] for r in model.run_.results()]))
"""

SERVE = """
import json, sys
from pathlib import Path
from autotl import load
predictor = load("run/model")
print(json.dumps([predictor.predict([Path(p) for p in sys.argv[1:]]), "torch" in sys.modules]))
"""


@pytest.fixture
def site(tmp_path) -> Path:
    """The third party's distribution, as pip would lay it out."""
    site = tmp_path / "site"
    package = site / "vectors_for_autotl"
    (package / "vector").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "vector" / "__init__.py").write_text(MODALITY)
    (package / "source.py").write_text(SOURCE)
    (package / "last_block.py").write_text(STRATEGY)
    info = site / "vectors_for_autotl-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vectors-for-autotl\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[autotl.modalities]\nvector = vectors_for_autotl.vector:MODALITY\n"
        "[autotl.backbones.sources]\ntoy = vectors_for_autotl.source:SOURCE\n"
        "[autotl.strategies]\nlast_block = vectors_for_autotl.last_block:STRATEGY\n"
    )
    return site


def write_vectors(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for label in ("high", "low"):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            vector = generator.normal(size=8) + (1.5 if label == "high" else -1.5)
            (folder / label / f"{number}.vec").write_text(" ".join(f"{x:.4f}" for x in vector))


def run(script: str, site: Path, *arguments: str):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=site.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_plug_ins_from_outside_go_from_raw_files_to_a_served_bundle(site):
    write_vectors(site.parent / "data")
    (site.parent / "space.toml").write_text(SPACE)
    trials = run(FIT, site)
    assert trials == [["linear_probe", "complete", None], ["last_block", "complete", None]]
    manifest = json.loads((site.parent / "run" / "model" / "bundle.json").read_text())
    assert manifest["preprocessing"]["modality"] == "vector"
    labels, torch_was_imported = run(SERVE, site, "data/high/3.vec", "data/low/4.vec")
    assert labels == ["high", "low"]
    assert not torch_was_imported
