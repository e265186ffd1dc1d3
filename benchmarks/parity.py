"""Whether bundles give the trained network's answers, from raw input to label, on every data set.

    python -m benchmarks.parity DATA

A linear head is fitted to frozen features of some rows, on the cheapest packaged backbone of the modality,
and the export is compared with the network on other rows, in batches and singly. A line a set in
`results/parity.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Ridge

from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import availability, load
from autotl.data.dataset import Dataset
from autotl.data.open import open_dataset
from autotl.export.bundle import export_bundle
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind
from autotl.testing.data import odd_images
from autotl.training.model import TransferModel
from autotl.trial.benches import specification
from benchmarks.record import append
from benchmarks.sets import SETS, prepare

#: Rows that the head is fitted to, and others that are compared.
_FITTED, _COMPARED = 300, 256
#: Half the distance of the logits of a class and the others that the head is fitted to.
_LOGIT = 3.0


def main() -> None:
    """Compare, print and record every set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join([*SETS, "odd images"]))
    arguments = parser.parse_args()
    for name in arguments.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            row = {"set": name, **_compare(_opened(name, arguments.data, Path(folder)), Path(folder))}
        append("parity", row)
        print(json.dumps(row), flush=True)


def _opened(name: str, data: Path, folder: Path) -> Dataset:
    if name == "odd images":
        paths = odd_images(folder / "odd")
        return open_dataset(paths, labels=["even" if row % 2 else "odd" for row in range(len(paths))])
    options = dict(SETS[name].options)
    options.pop("test_share", None)
    return open_dataset(prepare(name, data, folder), **options)


def _compare(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Export on rows that the head was not fitted to; on all where they are few."""
    known = [info for info in catalogue(dataset.modality).values() if info.source == "packaged"]
    info = min((i for i in known if availability(i, offline=True).available), key=lambda i: i.macs)
    backbone, task = load(info, offline=True), dataset.task
    spec = specification(backbone, {}, {})
    mean, scale = (
        (dataset.targets.mean(), dataset.targets.std()) if not task.is_classification else (0.0, 1.0)
    )
    head = torch.nn.Linear(backbone.feature_dim(), task.outputs)
    model = TransferModel(
        backbone, head, [backbone.depth], task, spec, target_mean=float(mean), target_scale=float(scale)
    ).eval()
    shuffled = np.random.default_rng(0).permutation(len(dataset))
    fitted, compared = shuffled[:_FITTED], shuffled[_FITTED : _FITTED + _COMPARED]
    compared = compared if len(compared) else fitted
    export_bundle(model, dataset, fitted[:2], folder / "model")
    features = Predictor(folder / "model").embed(dataset.take(fitted).items)
    _fit(head, features, _wanted(dataset.take(fitted), float(mean), float(scale)))
    bundle = export_bundle(model, dataset, compared, folder / "model", verify_rows=_COMPARED)
    return {"backbone": info.name, "task": task.kind.value, **bundle.manifest["parity"]["model.onnx"]}


def _wanted(dataset: Dataset, mean: float, scale: float) -> Any:
    """Raw outputs (N, K) that the head should give."""
    if dataset.task.kind is TaskKind.REGRESSION:
        return ((dataset.targets - mean) / scale)[:, None]
    if dataset.task.kind is TaskKind.MULTILABEL:
        return _LOGIT * (2 * dataset.targets - 1)
    return _LOGIT * (2 * np.eye(dataset.task.outputs)[dataset.targets] - 1)


def _fit(head: torch.nn.Linear, features: Any, wanted: Any) -> None:
    """Ridge regression on features as they are: scaled by what few rows show, rounding would be blown up."""
    ridge = Ridge(alpha=1.0).fit(features, wanted)
    weight, bias = np.reshape(ridge.coef_, (head.out_features, -1)), np.atleast_1d(ridge.intercept_)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


if __name__ == "__main__":
    main()
