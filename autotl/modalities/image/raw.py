"""Decoding images within an ONNX graph, by the operators of onnxruntime-extensions.

They know JPEG in colour and PNG, take no notice of EXIF and transparency, and interpolate the colours of
JPEG in another way than Pillow: pixels differ a little.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.graph.convert import IR_VERSION, OPSET
from autotl.modalities.image.reading import read_image
from autotl.modalities.modality import Item

if TYPE_CHECKING:
    import onnx

_DOMAIN = "com.microsoft.extensions"
#: How files begin that the operator can decode; at others it ends the process.
_MAGIC = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PN"}


def raw_graph() -> onnx.ModelProto:
    """{"encoded": (N,) uint8}, the bytes of a JPEG or PNG, becomes {"image": (1, H, W, 3) uint8} in RGB.

    Other bytes, and JPEG in grey or CMYK, are an error of the graph, at a node that says so.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, *values: int, kind: Any = np.int64) -> Any:
        return numpy_helper.from_array(np.array(values, kind), name)

    constants = [constant("zero", 0), constant("three", 3), constant("three_deep", 0, 0, 3)]
    constants.append(constant("blue_green_red", 2, 1, 0))
    constants.append(constant("padding", 0, 0, 0, kind=np.uint8))
    nodes = [
        helper.make_node("Concat", ["encoded", "padding"], ["long_enough"], axis=0),
        helper.make_node("Slice", ["long_enough", "zero", "three"], ["magic"]),
    ]
    for name, magic in _MAGIC.items():
        constants.append(constant(f"{name}_magic", *magic, kind=np.uint8))
        nodes += [
            helper.make_node("Equal", ["magic", f"{name}_magic"], [f"{name}_bytes"]),
            helper.make_node("Cast", [f"{name}_bytes"], [f"{name}_equal"], to=TensorProto.INT64),
            helper.make_node("ReduceMin", [f"{name}_equal"], [f"{name}_found"], keepdims=0),
        ]
    decode = helper.make_node("DecodeImage", ["encoded"], ["decoded"], domain=_DOMAIN)
    no_shape = helper.make_node("Constant", [], ["no_shape"], value_ints=[1, 1, 9])
    fail = helper.make_node("Reshape", ["magic", "no_shape"], ["nothing"], name="neither_JPEG_nor_PNG")
    nodes += [
        helper.make_node("Max", ["jpeg_found", "png_found"], ["found"]),
        helper.make_node("Cast", ["found"], ["can_be_decoded"], to=TensorProto.BOOL),
        helper.make_node(
            "If",
            ["can_be_decoded"],
            ["pixels_bgr"],
            then_branch=_branch("decode", decode),
            else_branch=_branch("fail", no_shape, fail),
        ),
        # Of grey and CMYK JPEG the operator makes one and four channels, and not the right ones.
        helper.make_node("Reshape", ["pixels_bgr", "three_deep"], ["pixels"], name="no_grey_nor_CMYK_JPEG"),
        helper.make_node("Gather", ["pixels", "blue_green_red"], ["pixels_rgb"], axis=2),
        helper.make_node("Unsqueeze", ["pixels_rgb", "zero"], ["image"]),
    ]
    inputs = [helper.make_tensor_value_info("encoded", TensorProto.UINT8, ["N"])]
    outputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])]
    graph = helper.make_graph(nodes, "decode", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="autotl")
    onnx.checker.check_model(model)
    return model


def raw_value(item: Item) -> NDArray[np.uint8]:
    """The bytes of a colour JPEG or a PNG as they are; any other image as a PNG.

    Raises:
        DecodeError: The item is unreadable.
    """
    content = item.read_bytes() if isinstance(item, Path) else item
    if isinstance(content, (bytes, bytearray)) and _is_taken(bytes(content)):
        return np.frombuffer(content, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(read_image(item).pixels).save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _is_taken(content: bytes) -> bool:
    """Whether the graph decodes a file."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            return image.format == "PNG" or image.mode == "RGB"
    except OSError:
        return False


def _branch(name: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    """A branch that takes its inputs from around it."""
    from onnx import TensorProto, helper

    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.UINT8, ["H", "W", "C"])
    return helper.make_graph(list(nodes), name, [], [output])
