"""Which tensors a bundle takes and gives under the Open Inference Protocol, as its metadata states them.

One input of the bundle's modality: BYTES [N] (or [N, 1]), encoded files or texts; BYTES [N, C] where a
table of C columns was trained on. A graph that takes raw pixels also takes them as "pixels", UINT8 [N, H,
W, 3], in its place. Outputs are the model's, FP32, and "label", BYTES: the class, or for a multilabel task
a JSON list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autotl.serve.bundle import FEATURES, MODEL
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind

LABEL = "label"
PIXELS = "pixels"
PLATFORM = "autotl_onnx"
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Tensor:
    """A tensor in metadata; edges of -1 are open."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As the protocol writes it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Contract:
    """What a served model takes and gives.

    Attributes:
        name: Of the model in URLs.
        version: The head of the sha256 of its ONNX file.
        encoded: The input of encoded files or texts.
        pixels: The input of raw pixels; None where the graph takes none.
        outputs: By name: the model's own, "label" where there are classes, and "features".
    """

    name: str
    version: str
    encoded: Tensor
    pixels: Tensor | None
    outputs: dict[str, Tensor]

    @property
    def default_outputs(self) -> tuple[str, ...]:
        """What is given where a request names none: all but the features."""
        return tuple(name for name in self.outputs if name != FEATURES)

    @property
    def columns(self) -> int:
        """Texts of an input."""
        return self.encoded.shape[1] if len(self.encoded.shape) == 2 else 1

    def metadata(self) -> dict[str, Any]:
        """The protocol's model metadata."""
        inputs = [self.encoded.to_json()]
        if self.pixels is not None:
            inputs = [
                {**self.encoded.to_json(), "parameters": {"alternative_to": self.pixels.name}},
                {**self.pixels.to_json(), "parameters": {"alternative_to": self.encoded.name}},
            ]
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": inputs,
            "outputs": [tensor.to_json() for tensor in self.outputs.values()],
        }


def contract_of(name: str, predictor: Predictor) -> Contract:
    """The contract of a bundle served under a name."""
    bundle = predictor.bundle
    columns = len(bundle.columns)
    encoded = Tensor(bundle.spec.modality, "BYTES", (-1, columns) if columns > 1 else (-1,))
    takes_pixels = [(kind, len(shape), shape[-1:]) for kind, shape in predictor.graph_inputs.values()] == [
        ("tensor(uint8)", 4, [3])
    ]
    outputs = {
        output: Tensor(output, "FP32", (-1, *(edge if isinstance(edge, int) else -1 for edge in shape[1:])))
        for output, shape in predictor.graph_outputs.items()
    }
    if predictor.task.kind is not TaskKind.REGRESSION:
        outputs[LABEL] = Tensor(LABEL, "BYTES", (-1,))
    return Contract(
        name,
        str(bundle.manifest["files"][MODEL]["sha256"])[:_VERSION_DIGITS],
        encoded,
        Tensor(PIXELS, "UINT8", (-1, -1, -1, 3)) if takes_pixels else None,
        outputs,
    )
