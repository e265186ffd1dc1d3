"""How faithful explanations of images are, beside class activation maps, which need torch and a CNN.

    python -m benchmarks.explain DATA_FOLDER [--set trashnet256] [--images 50]

A linear head on frozen features of EfficientNet-Lite0 is fitted, as trial 0 of every run is. For test images,
each map orders the pixels; the probability of the predicted class is then followed while pixels are hidden
from the first on (deletion; mean colour), and while they appear on a blurred image (insertion), after RISE
(Petsiuk et al. 2018). Deletion is the better the lower the mean probability, insertion the higher. "cam" are
class activation maps (Zhou et al. 2016) of the torch network, "cam against others" those of the log-odds that
`explain` uses, exact at the last feature map; "random" is smooth noise. A row a map in
`results/explain.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from autotl.automl.reopen import reopen
from autotl.export.reference import network_input
from autotl.serve.explain import explain
from autotl.serve.predictor import Predictor
from autotl.training.model import TransferModel
from autotl.trial.run_folder import RunFolder
from benchmarks.fitting import trial_zero
from benchmarks.record import append
from benchmarks.sets import prepare

Array = np.ndarray
#: An image (H, W, 3) and the class to explain, to a map (H, W).
Mapper = Callable[[Array, int], Array]
_STEPS, _BLUR = 24, 8


def main() -> None:
    """Measure one set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", default="trashnet256")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--run", type=Path, help="a run to go on with, in place of a new one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run
        if run is None:
            data = prepare(arguments.set, arguments.data, Path(folder))
            run = trial_zero(Path(folder)).fit(data).run_.path
        measure(arguments.set, RunFolder(run), arguments.images)


def measure(name: str, run: RunFolder, count: int) -> None:
    """Compare the maps on test images that are decoded once."""
    delivery = reopen(run)
    trial = run.result(0)
    assert trial is not None
    model = delivery.combinations.model(trial).eval().cpu()
    predictor = Predictor(run.bundle)
    dataset, test = delivery.runner.dataset, delivery.runner.splits.test
    rows = test[:: max(1, len(test) // count)][:count]
    images = [example["image"] for example in predictor.decode(dataset.take(rows).items)]
    maps: dict[str, Mapper] = {
        "occlusion": lambda image, target: occlusion_map(predictor, image, target),
        "cam": lambda image, target: activation_map(model, image, target, against=False),
        "cam against others": lambda image, target: activation_map(model, image, target, against=True),
        "random": random_map,
    }
    for kind, mapper in maps.items():
        row = {"set": name, "map": kind, **compared(predictor, images, mapper)}
        append("explain", row)
        print(json.dumps(row), flush=True)


def compared(predictor: Predictor, images: Sequence[Array], mapper: Mapper) -> dict[str, Any]:
    """Mean deletion and insertion of a map, with standard errors, and seconds an image."""
    deletions, insertions, seconds = [], [], []
    for image in images:
        target = int(probabilities(predictor, [image])[0].argmax())
        begun = time.perf_counter()
        found = mapper(image, target)
        seconds.append(time.perf_counter() - begun)
        order = np.argsort(-found.ravel(), kind="stable")
        mean = np.broadcast_to(image.mean(axis=(0, 1)), image.shape).astype(np.uint8)
        deletions.append(followed(predictor, image, mean, order, target))
        insertions.append(followed(predictor, blurred(image), image, order, target))
    return {
        "images": len(images),
        **{
            f"{name}{suffix}": round(float(value), 4)
            for name, values in (("deletion", deletions), ("insertion", insertions))
            for suffix, value in (
                ("", np.mean(values)),
                ("_error", np.std(values) / np.sqrt(len(values))),
            )
        },
        "seconds": round(float(np.median(seconds)), 3),
    }


def followed(predictor: Predictor, start: Array, end: Array, order: Array, target: int) -> float:
    """Mean probability of a class while pixels go over from one image to another in an order."""
    changed = []
    for share in np.linspace(0, 1, _STEPS + 1):
        mask = np.zeros(start.shape[:2], bool)
        mask.ravel()[order[: round(share * len(order))]] = True
        changed.append(np.where(mask[:, :, None], end, start))
    return float(np.trapezoid(probabilities(predictor, changed)[:, target], dx=1 / _STEPS))


def probabilities(predictor: Predictor, images: Sequence[Array]) -> Array:
    """(N, K) of images of one size."""
    return predictor.run([{"image": image} for image in images], 8)[0]


def blurred(image: Array) -> Array:
    """The image in so few pixels, down and across, that its subject is gone."""
    picture = Image.fromarray(image)
    few = picture.resize((_BLUR, _BLUR), Image.Resampling.BOX)
    return np.asarray(few.resize(picture.size, Image.Resampling.BICUBIC))


def occlusion_map(predictor: Predictor, image: Array, target: int) -> Array:
    """What `autotl explain` shows."""
    (found,) = explain(predictor, [image], target=predictor.classes[target])
    assert found.map is not None
    return found.map


def activation_map(model: TransferModel, image: Array, target: int, *, against: bool) -> Array:
    """The class activation map, of the class alone or of its log-odds against the others."""
    seen: list[torch.Tensor] = []
    pooling = next(m for name, m in model.backbone.module.named_modules() if name.endswith("global_pool"))
    hook = pooling.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        shares = model.predict(network_input(model.spec, [{"image": image}]))[0]
        hook.remove()
        weights = next(p for p in model.head.parameters() if p.ndim == 2)
        chosen = weights[target]
        if against:
            others = shares.clone()
            others[target] = 0
            chosen = chosen - (others / others.sum()) @ weights
        found = torch.einsum("c,chw->hw", chosen, seen[-1][0])
    size = (image.shape[1], image.shape[0])
    return np.asarray(Image.fromarray(found.numpy()).resize(size, Image.Resampling.BILINEAR))


def random_map(image: Array, target: int) -> Array:
    """Smooth noise, always the same."""
    noise = Image.fromarray(np.random.default_rng(target).random((7, 7)).astype(np.float32))
    return np.asarray(noise.resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
