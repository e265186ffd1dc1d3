"""What a bundle is worth beside the torch model that it was made from: speed of single rows, cold start.

    python -m benchmarks.deliverable DATA

Every packaged backbone is exported under a linear head and answers real rows one by one, decoded: torch (its
network alone) and the bundle (with preprocessing) take turns, on one thread and on all; so do the bundle and
an int8 graph of it. A line a backbone in `results/deliverable.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import availability, load
from autotl.cores import usable_cores
from autotl.data.dataset import Dataset
from autotl.data.open import open_dataset
from autotl.export.bundle import export_bundle
from autotl.export.compress import Rows, compress
from autotl.export.reference import network_input
from autotl.modalities.modality import Item
from autotl.serve.predictor import Predictor
from autotl.training.linear import Standardiser
from autotl.training.model import TransferModel
from autotl.trial.benches import specification
from benchmarks.record import append

#: Rows of each of two halves: one fits the head, the other is compared; timed rows; cold starts.
_ROWS, _TIMED, _STARTS = 400, 40, 5
_COLD = (
    "import sys, time; t = time.perf_counter(); import autotl; "
    "p = autotl.load(sys.argv[1]); x = sys.argv[2]; "
    "from pathlib import Path; p.predict([Path(x) if Path(x).is_file() else x]); "
    "print(time.perf_counter() - t)"
)


def main() -> None:
    """Measure, print and record every packaged backbone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    sets = {"image": open_dataset(data / "trashnet256"), "text": open_dataset(data / "sst2")}
    for kind, dataset in sets.items():
        chosen = dataset.take(np.random.default_rng(0).permutation(len(dataset))[: 2 * _ROWS])
        for name, info in catalogue(kind).items():
            if info.source == "packaged" and availability(info, offline=True).available:
                row = {"backbone": name, **_measure(load(info, offline=True), chosen)}
                append("deliverable", row)
                print(json.dumps(row), flush=True)


def _measure(backbone: Any, dataset: Dataset) -> dict[str, Any]:
    task = dataset.task
    spec = specification(backbone, {}, {})
    head = torch.nn.Linear(backbone.feature_dim(backbone.depth), len(task.classes))
    model = TransferModel(backbone, head, [backbone.depth], task, spec).eval()
    fitted, compared = np.arange(_ROWS), np.arange(_ROWS, 2 * _ROWS)
    items, targets = list(dataset.take(compared).items), dataset.targets[compared]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        export_bundle(model, dataset, fitted, place)
        _fit(head, Predictor(place).embed(dataset.take(fitted).items), dataset.targets[fitted])
        bundle = export_bundle(model, dataset, compared, place, verify_rows=_ROWS)
        exact = {threads: Predictor(place, threads=threads) for threads in (1, usable_cores())}
        size, cold = (place / "model.onnx").stat().st_size, _cold_start(place, items[0])
        calibration = dataset.take(fitted[:128]).items
        told = compress(place, Rows(calibration, items, targets))
        row: dict[str, Any] = {
            "parity": bundle.manifest["parity"]["model.onnx"],
            "model_mb": round(size / 1e6, 1),
            "cold_start_seconds": cold,
            "int8": told.to_json(),
        }
        for threads, predictor in exact.items():
            row[f"threads_{threads}"] = _latencies(model, predictor, items, threads)
    return row


def _fit(head: torch.nn.Linear, features: Any, targets: Any) -> None:
    """Logistic regression on frozen features, some of which hardly vary: MiniLM has two that are 1e-32."""
    raw = torch.from_numpy(features)
    standardise = Standardiser(raw)
    regression = LogisticRegression(max_iter=1000, C=0.1).fit(standardise(raw).numpy(), targets)
    weight, bias = regression.coef_, regression.intercept_
    if len(weight) == 1:  # of two classes, the second against the first
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    fitted = standardise.unfold(torch.from_numpy(weight).float(), torch.from_numpy(bias).float(), 0.0)
    with torch.no_grad():
        head.weight.copy_(fitted.weight)
        head.bias.copy_(fitted.bias)


def _latencies(model: TransferModel, predictor: Predictor, items: list[Item], threads: int) -> dict[str, Any]:
    """Median milliseconds of a decoded row in torch and in the bundle, in turns, and their ratio."""
    examples = predictor.decode(items[:_TIMED])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    inputs = [network_input(model.spec, [example]) for example in examples]

    def network_alone(number: int) -> None:
        with torch.inference_mode():
            model.predict(inputs[number])

    arms: dict[str, Callable[[int], Any]] = {
        "torch_network": network_alone,
        "bundle": lambda number: predictor.run([examples[number]], 1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(len(examples)):
        for name, run in arms.items():
            begun = time.perf_counter()
            run(number)
            seconds[name].append(time.perf_counter() - begun)
    torch.set_num_threads(before)
    medians = {name: 1e3 * statistics.median(values[2:]) for name, values in seconds.items()}
    return {
        **{f"{name}_ms": round(value, 2) for name, value in medians.items()},
        "bundle_share_of_torch": round(medians["bundle"] / medians["torch_network"], 3),
    }


def _cold_start(folder: Path, item: Item) -> float:
    """Median seconds from the start of `import autotl` to a first prediction, in fresh processes."""
    times = []
    for _ in range(_STARTS):
        command = [sys.executable, "-c", _COLD, str(folder), str(item)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(float(done.stdout))
    return round(statistics.median(times), 2)


if __name__ == "__main__":
    main()
