"""The model card of a bundle: the head that model hubs read, and text. Reads the manifest, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.serve.raw import KEY, RAW
from autotl.task import Task, TaskKind

if TYPE_CHECKING:
    from huggingface_hub.repocard_data import EvalResult

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_CLASSES_SHOWN = 50


def model_card(manifest: Mapping[str, Any]) -> str:
    """The README of a bundle.

    Args:
        manifest: The content of `bundle.json`, figures of parity included.
    """
    task = Task.from_json(manifest["task"])
    parts = [
        _head(manifest, task),
        _what(manifest, task),
        _use(manifest, task),
        _data(manifest, task),
        _results(manifest),
        _limits(manifest, task),
        _monitoring(manifest),
        _licence(manifest),
    ]
    return "\n".join(parts)


def _head(manifest: Mapping[str, Any], task: Task) -> str:
    """What model hubs read: licence, base model, kind of task, scores."""
    from huggingface_hub.repocard_data import ModelCardData

    backbone, kind = manifest["backbone"], manifest["preprocessing"]["modality"]
    licence = str(manifest["licence"])
    is_listed = backbone["source"] != "local" and _HUB_ID.fullmatch(backbone["reference"])
    is_other = licence.startswith("other:")
    data = ModelCardData(
        library_name="autotl",
        license="other" if is_other else licence.lower(),
        license_name=licence.removeprefix("other:") if is_other else None,
        pipeline_tag=None if task.kind is TaskKind.REGRESSION else f"{kind}-classification",
        base_model=backbone["reference"] if is_listed else None,
        language=list(backbone["languages"]) or None,
        metrics=[task.metric],
        tags=["autotl", "onnx", "transfer-learning", kind],
        model_name=f"{backbone['name']} for {_flat(task.target)}",
        eval_results=_scores(manifest, task) or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _scores(manifest: Mapping[str, Any], task: Task) -> list[EvalResult]:
    """Scores by part and name, as the model index of a hub has them."""
    from huggingface_hub.repocard_data import EvalResult

    kind, source = manifest["preprocessing"]["modality"], manifest["data"].get("source")
    goal = "regression" if task.kind is TaskKind.REGRESSION else "classification"
    data = Path(_flat(source or "not recorded")).name
    return [
        EvalResult(
            task_type=f"{kind}-{goal}",
            dataset_type=data,
            dataset_name=data,
            dataset_split=part,
            metric_type=name,
            metric_value=value,
        )
        for part, scores in manifest["metrics"].items()
        for name, value in scores.items()
        if isinstance(value, float)
    ]


def _what(manifest: Mapping[str, Any], task: Task) -> str:
    backbone, kind = manifest["backbone"], manifest["preprocessing"]["modality"]
    goal = {
        TaskKind.BINARY: "tells two classes apart",
        TaskKind.MULTICLASS: f"tells {len(task.classes)} classes apart",
        TaskKind.MULTILABEL: f"gives each input any of {len(task.classes)} labels",
        TaskKind.REGRESSION: f"predicts the number `{task.target}`",
    }[task.kind]
    lines = [f"# {kind.capitalize()} model for `{task.target}`", ""]
    lines += [f"It {goal}. Made by autotl {manifest['versions'].get('autotl', '')} from the pretrained"]
    lines += [f"backbone `{backbone['name']}` ({_pretraining(backbone)})."]
    if task.classes:
        shown = ", ".join(f"`{_flat(name)}`" for name in task.classes[:_CLASSES_SHOWN])
        more = len(task.classes) - _CLASSES_SHOWN
        lines += ["", f"Classes: {shown}" + (f" and {more} more." if more > 0 else ".")]
    return "\n".join([*lines, ""])


def _pretraining(backbone: Mapping[str, Any]) -> str:
    origin = backbone["pretraining"] or "pretraining unknown"
    return f"{origin}; {backbone['parameters'] / 1e6:.1f} million weights"


def _use(manifest: Mapping[str, Any], task: Task) -> str:
    kind, columns = manifest["preprocessing"]["modality"], manifest["columns"]
    if len(columns) > 1:
        item = "(" + ", ".join(f'"the {_flat(name)}"' for name in columns) + ")"
    else:
        item = '"a text"' if kind == "text" else '"photo.jpg"'
    assets = ", ".join(f"`{name}`" for name in manifest["preprocessing"]["assets"])
    prepared = f"its inputs are made with {assets}" if assets else "preprocessing is part of the graph"
    meaning = "(N,) values" if task.kind is TaskKind.REGRESSION else "(N, K) probabilities"
    return f"""## How to use

Install autotl from its repository (`pip install .` there), or into an environment of
`pip install -r requirements.txt`; torch is not needed:

```python
import autotl

predictor = autotl.load("path/to/this/folder")
items = [{item}]
print(predictor.predict(items))
print(predictor.predict_proba(items))  # {meaning}
```

`model.onnx` takes {", ".join(f"`{name}`" for name in manifest["inputs"])} and gives
{" and ".join(f"`{name}`" for name in manifest["outputs"])}; {prepared}.
{_use_raw(manifest[KEY]) if KEY in manifest else ""}"""


def _use_raw(told: Mapping[str, Any]) -> str:
    """How the graph that decodes its input itself is run, without autotl."""
    value = 'np.fromfile("photo.jpg", np.uint8)' if told["input"] == "encoded" else 'np.array(["a text"])'
    return f"""
`{RAW}` decodes its input itself, one at a time (`pip install {" ".join(told["needs"])}`):

```python
import numpy as np, onnxruntime, onnxruntime_extensions

options = onnxruntime.SessionOptions()
options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
session = onnxruntime.InferenceSession("path/to/this/folder/{RAW}", options)
print(session.run(None, {{"{told["input"]}": {value}}}))
```
"""


def _data(manifest: Mapping[str, Any], task: Task) -> str:
    data = manifest["data"]
    rows = data.get("rows")
    counts = ", ".join(f"{n} {part}" for part, n in rows.items()) if isinstance(rows, Mapping) else str(rows)
    lines = ["## Data", "", f"- Source: {_flat(data.get('source') or 'not recorded')}", f"- Rows: {counts}"]
    if data.get("fingerprint"):
        lines.append(f"- Fingerprint: `{data['fingerprint']}`")
    return "\n".join([*lines, f"- Target: `{_flat(task.target)}` ({task.kind.value})", ""])


def _results(manifest: Mapping[str, Any]) -> str:
    lines = ["## Results", ""]
    scores = list(_flatten(manifest["metrics"]))
    if scores:
        lines += ["| metric | value |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in scores]
    else:
        lines.append("No score was recorded with this bundle.")
    if manifest["record"].get("winner", {}).get("refitted"):
        lines += ["", "After its validation score the model was fitted again, on the validation rows too."]
    if told := manifest.get("compression"):
        form = "The graph is" if told["kept"] else "The graph is in single precision. Tried and left out was"
        rows = f"{told['rows']} rows"
        if told.get("before_final_fit"):
            rows += ", which were new to the model before its final fit,"
        lines += ["", f"{form} {told['method']}: on {rows} {told['reason']}."]
    if limits := manifest.get("limits"):
        lines += ["", _held_to(limits)]
    for graph, parity in manifest["parity"].items():
        lines += ["", *_compared(graph, parity)]
    return "\n".join([*lines, ""])


def _held_to(limits: Mapping[str, Any]) -> str:
    """Whether the graph meets the limits that it was chosen within."""
    where = "measured in ONNX Runtime on the CPU that made it"
    if limits["over"] is None:
        return f"The graph meets the limits that were asked for: {limits['words']}, {where}."
    return f"**The graph is over a limit that was asked for**: {limits['over']} on the CPU that made it."


def _compared(graph: str, parity: Mapping[str, Any]) -> list[str]:
    """What its certificate says of a graph."""
    largest, tolerance = f"{parity['largest_difference']:.2g}", parity["tolerance"]
    allowed = "" if tolerance is None else f" (allowed {tolerance:g})"
    together = f"{parity['batch_size']} at a time and singly" if parity["batch_size"] > 1 else "one at a time"
    return [
        f"`{graph}` was compared with the trained network on {parity['rows']} rows, from raw input to",
        f"prediction, {together}: {parity['label_flips']} decisions differ,",
        f"largest difference {largest}{allowed}. `autotl verify` repeats this where the data are.",
    ]


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested metrics: ("test accuracy", "0.9312")."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name} {key}".strip())
    elif isinstance(value, float):
        yield name, f"{value:.4f}"
    elif value is not None:
        yield name, _flat(value)


def _limits(manifest: Mapping[str, Any], task: Task) -> str:
    lines = ["## Limits", ""]
    if task.is_classification:
        lines.append("- It chooses one of its classes for every input, also for one that belongs to none.")
    lines.append(
        "- Scores hold for data like those above; on other sources measure again before relying on it."
    )
    limit = manifest["preprocessing"]["options"].get("max_length")
    if limit:
        lines.append(f"- What lies beyond {limit} tokens of an input is not read.")
    lines.append("- Biases of the pretraining data may show in the predictions.")
    return "\n".join([*lines, ""])


def _monitoring(manifest: Mapping[str, Any]) -> str:
    """What the bundle tells of held-out rows: it lies with whoever gets the bundle."""
    said = manifest.get("monitoring")
    if said is None:
        return "## Monitoring\n\nThe bundle does not describe any rows of the data.\n"
    kept = said["row_embeddings"]
    if kept:
        rows = (
            f"**Embeddings of {kept} of these rows are in the bundle**: no text or image, yet more than\n"
            "totals, and what is near to one of them can be recognised. `autotl export RUN\n"
            "--no-reference-rows` makes a bundle without them, which compares less."
        )
    else:
        rows = "It holds moments, counts and distributions; embeddings of single rows were left out."
    return f"""## Monitoring

`autotl monitor path/to/this/folder INPUT...` tells whether new inputs still look like the
{said["rows"]} rows of the {_flat(said["part"])} part, which the model was not fitted on. For that,
`{said["file"]}` describes them: mean and covariance of their embeddings (the output `features`), how often
each class is true and predicted, and how confidence and distance from the mean are distributed.
{rows}
"""


def _licence(manifest: Mapping[str, Any]) -> str:
    backbone = manifest["backbone"]
    return f"""## Licence

The weights derive from `{backbone["name"]}`, which its authors give under {backbone["licence"]}. Whether the
training data allow more or less is for their owner to say.
"""


def _flat(value: object) -> str:
    """A value on one line that breaks no table."""
    return " ".join(str(value).split()).replace("|", "\\|")
