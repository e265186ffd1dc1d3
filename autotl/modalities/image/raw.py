"""Decoding images within an ONNX graph, by the operators of onnxruntime-extensions.

They know JPEG in colour and PNG that is not interlaced, take no notice of EXIF and transparency, and
interpolate the colours of JPEG in another way than Pillow: pixels differ a little. A file that is broken
within can end or hold up the process that decodes it (issue 1094 of onnxruntime-extensions): such a graph is
for files of one's own.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.graph.build import Builder
from autotl.modalities.image.reading import read_image
from autotl.modalities.modality import Item

if TYPE_CHECKING:
    import onnx

_DOMAIN = "com.microsoft.extensions"
#: How a PNG begins, and where it says whether it is interlaced, of which the operator makes another picture.
_PNG, _INTERLACE = b"\x89PNG\r\n\x1a\n", 28
#: How a JPEG begins and ends: the operator waits for ever for the rest of one that was cut off.
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def raw_graph() -> onnx.ModelProto:
    """{"encoded": (N,) uint8}, the bytes of a JPEG or PNG, becomes {"image": (1, H, W, 3) uint8} in RGB.

    What does not look like a whole file that can be decoded is an error at a node whose name says so.
    """
    from onnx import TensorProto, helper

    decode = helper.make_node("DecodeImage", ["encoded"], ["decoded"], domain=_DOMAIN)
    no_shape = helper.make_node("Constant", [], ["no_shape"], value_ints=[1, 1, 3])
    fail = helper.make_node("Reshape", ["head", "no_shape"], ["nothing"], name="neither_JPEG_nor_PNG")
    build = Builder()
    # Around the bytes, so that these places are there in the shortest input.
    build.add("Concat", ["encoded", build.bytes(bytes(_INTERLACE + 1))], "longer", axis=0)
    build.add("Concat", [build.bytes(b"\0\0"), "encoded"], "later", axis=0)
    build.add("Gather", ["longer", build.ints(*range(len(_PNG)), _INTERLACE)], "head")
    build.add("Slice", ["head", build.ints(0), build.ints(len(_JPEG))], "start")
    build.add("Slice", ["later", build.ints(-2), build.ints(np.iinfo(np.int64).max)], "end")
    build.add("Concat", ["start", "end"], "start_and_end", axis=0)
    found = [_same(build, "head", _PNG + b"\0"), _same(build, "start_and_end", _JPEG + _JPEG_END)]
    build.add("Or", found, "can_be_decoded")
    branches = {"then_branch": _branch("decode", decode), "else_branch": _branch("fail", no_shape, fail)}
    build.add("If", ["can_be_decoded"], "bgr", **branches)
    # Of grey and CMYK JPEG the operator makes one and four channels, and not the right ones.
    build.add("Reshape", ["bgr", build.ints(0, 0, 3)], "pixels", name="no_grey_nor_CMYK_JPEG")
    build.add("Gather", ["pixels", build.ints(2, 1, 0)], "rgb", axis=2)
    build.add("Unsqueeze", ["rgb", build.ints(0)], "image")
    inputs = [helper.make_tensor_value_info("encoded", TensorProto.UINT8, ["N"])]
    outputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])]
    return build.model("decode", inputs, outputs, domain=_DOMAIN)


def raw_value(item: Item) -> NDArray[np.uint8]:
    """The bytes of a file that the graph decodes as they are; any other image as a PNG.

    Raises:
        DecodeError: The item is unreadable.
    """
    content = item.read_bytes() if isinstance(item, Path) and item.is_file() else item
    if isinstance(content, (bytes, bytearray)) and _is_taken(bytes(content)):
        return np.frombuffer(content, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(read_image(item).pixels).save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _is_taken(content: bytes) -> bool:
    """Whether the graph decodes a file."""
    if content.startswith(_PNG):
        return content[_INTERLACE : _INTERLACE + 1] == b"\0"
    if not (content.startswith(_JPEG) and content.endswith(_JPEG_END)):
        return False
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            return image.mode == "RGB"
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False


def _same(build: Builder, name: str, content: bytes) -> str:
    """The name of a truth value (): whether bytes are these."""
    from onnx import TensorProto

    build.add("Equal", [name, build.bytes(content)], f"{name}_equal")
    build.add("Cast", [f"{name}_equal"], f"{name}_ones", to=TensorProto.INT64)
    build.add("ReduceMin", [f"{name}_ones"], f"{name}_all", keepdims=0)
    build.add("Cast", [f"{name}_all"], f"{name}_same", to=TensorProto.BOOL)
    return f"{name}_same"


def _branch(name: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    """A branch that takes its inputs from around it."""
    from onnx import TensorProto, helper

    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.UINT8, ["H", "W", "C"])
    return helper.make_graph(list(nodes), name, [], [output])
