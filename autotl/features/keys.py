"""What inputs and features depend on, as plain facts: two runs share them only where all facts are equal.

Targets and splits are no part of them: relabelled data keep their features. Rows count by number, so their
order is. Depth, view and element type are names and forms of arrays inside an entry.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.backbones.backbone import Backbone
from autotl.data.dataset import Dataset
from autotl.modalities.modality import Item, Modality
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.versions import versions

if TYPE_CHECKING:
    import torch

Facts = Mapping[str, Any]
#: Goes up when arrays, or the way they are computed here, change their meaning.
FORMAT = 1
_PREPARING = ("numpy", "onnxruntime", "Pillow", "tokenizers")
_COMPUTING = ("torch", "timm", "transformers")


def key(facts: Facts) -> str:
    """A name for facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def input_facts(dataset: Dataset, modality: Modality, spec: PreprocessingSpec) -> Facts:
    """What prepared inputs depend on."""
    graph = modality.graph(spec)
    return {
        "format": FORMAT,
        "data": content_key(dataset, modality),
        "graph": graph and hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest(),
        "preprocessing": spec.key,
        "modality": code_key(modality),
        "libraries": _versions(_PREPARING),
    }


def feature_facts(inputs: Facts, backbone: Backbone, device: torch.device) -> Facts:
    """What features and activations depend on: their inputs, the network, and how it is run.

    On an accelerator engines of mixed precision compete, so its features are not those of the CPU.
    """
    return {
        "inputs": inputs,
        "weights": weights_key(backbone),
        "network": code_key(backbone),
        "precision": "single" if device.type == "cpu" else "mixed",
        "batch_norm": "of the batch" if backbone.module.training else "running statistics",
        "libraries": _versions(_COMPUTING),
    }


def content_key(dataset: Dataset, modality: Modality) -> str:
    """sha256 over the content hashes in the order of the rows.

    File endings count: equal pixels may be decoded at another scale from another format. So do texts as they
    are: to their fingerprints white space is all the same, to some tokenizers it is not.
    """
    digest = hashlib.sha256()
    prints = dataset.fingerprints or [modality.fingerprint(item) for item in dataset.items]
    for item, content in zip(dataset.items, prints, strict=True):
        ending = item.suffix.lower() if isinstance(item, Path) else ""
        digest.update(f"{content}{ending}{_texts(item)}\n".encode())
    return digest.hexdigest()


def _texts(item: Item) -> str:
    """The texts of an item as JSON, "" of what is none."""
    parts = (item,) if isinstance(item, str) else item if isinstance(item, (tuple, list)) else ()
    texts = [part for part in parts if isinstance(part, str)]
    return json.dumps(texts) if texts else ""


def weights_key(backbone: Backbone) -> str:
    """sha256 over the structure of a network and all its tensors, running statistics too."""
    import torch

    module = backbone.module
    structure = [module, getattr(module, "config", None), dict(backbone.info.input)]
    digest = hashlib.sha256(repr(structure).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def code_key(thing: object) -> str:
    """sha256 over the source files beside the class of `thing`: decoding, augmentation, cutting.

    A change of a comment costs a pass; a change that nobody noticed would cost more. Code that cannot be read
    (typed into a prompt) is never the same.
    """
    try:
        module = sys.modules[type(thing).__module__]
        path = Path(str(module.__file__))
        files = sorted(path.parent.glob("*.py")) if module.__package__ else [path]
        contents = [file.name.encode() + b"\n" + file.read_bytes() for file in files]
    except (KeyError, AttributeError, OSError):
        return f"unknown {uuid.uuid4().hex}"
    return hashlib.sha256(b"\n".join(contents)).hexdigest()


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    installed = versions(names)
    return {name: installed.get(name, "none") for name in names}
