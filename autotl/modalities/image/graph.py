"""The pixel graph: decoded images of any size to network input, as ONNX.

Training, the exported model and the Predictor run this very graph through ONNX Runtime, so they agree by
construction. Its output is rounded to uint8, so that a cache of prepared pixels is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autotl.graph.build import Builder
from autotl.modalities.preprocessing import PreprocessingSpec

if TYPE_CHECKING:
    import onnx


def pixel_graph(spec: PreprocessingSpec) -> onnx.ModelProto:
    """The graph of a specification.

    {"image": (B, H, W, 3) uint8} with all but the channels dynamic becomes {"pixels": (B, S, S, 3) uint8}.
    With `fit="crop"` a centred square of side round(min(H, W) * crop_share) is cut out first, so that long
    images cost no memory; with "squash" the whole image is resized. Resizing is antialiased and cubic (Keys
    1981, a = -0.5, as in Pillow) or linear.
    """
    from onnx import TensorProto, helper

    size = int(spec.options["size"])
    build = Builder()
    build.add("Shape", ["image"], "image_shape")
    source = _centre_crop(build, float(spec.options["crop_share"])) if _crops(spec) else "image"
    build.add("Cast", [source], "image_float", to=TensorProto.FLOAT)
    build.add("Slice", ["image_shape", build.ints(0), build.ints(1)], "image_batch")
    build.add("Concat", ["image_batch", build.ints(size, size, 3)], "image_sizes", axis=0)
    build.add(
        "Resize",
        ["image_float", "", "", "image_sizes"],
        "image_resized",
        mode=str(spec.options["filter"]),
        antialias=1,
        cubic_coeff_a=-0.5,
        coordinate_transformation_mode="half_pixel",
    )
    build.add("Round", ["image_resized"], "image_rounded")
    build.add("Clip", ["image_rounded", build.scalar(0.0), build.scalar(255.0)], "image_clipped")
    build.add("Cast", ["image_clipped"], "pixels", to=TensorProto.UINT8)
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["B", "H", "W", 3])]
    outputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["B", size, size, 3])]
    return build.model("pixels", inputs, outputs)


def _crops(spec: PreprocessingSpec) -> bool:
    return bool(spec.options["fit"] == "crop")


def _centre_crop(build: Builder, share: float) -> str:
    """Cut a centred square; its name."""
    from onnx import TensorProto

    build.add("Slice", ["image_shape", build.ints(1), build.ints(3)], "image_edges")
    build.add("ReduceMin", ["image_edges"], "image_shortest", keepdims=1)
    build.add("Cast", ["image_shortest"], "image_shortest_float", to=TensorProto.FLOAT)
    build.add("Mul", ["image_shortest_float", build.scalar(share)], "crop_exact")
    build.add("Round", ["crop_exact"], "crop_rounded")
    build.add("Cast", ["crop_rounded"], "crop_whole", to=TensorProto.INT64)
    build.add("Max", ["crop_whole", build.ints(1)], "crop_side")
    build.add("Sub", ["image_edges", "crop_side"], "crop_spare")
    build.add("Div", ["crop_spare", build.ints(2)], "crop_start")
    build.add("Add", ["crop_start", "crop_side"], "crop_end")
    build.add("Slice", ["image", "crop_start", "crop_end", build.ints(1, 2)], "image_cropped")
    return "image_cropped"
