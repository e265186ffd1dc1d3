"""The image modality. Importing it loads no torch and no ONNX, so that serving can decode with it."""

from autotl.modalities.image.modality import ImageModality

MODALITY = ImageModality()

__all__ = ["MODALITY", "ImageModality"]
