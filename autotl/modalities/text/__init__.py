"""The text modality. Importing it loads no torch, so that serving can decode with it."""

from autotl.modalities.text.modality import TextModality

MODALITY = TextModality()

__all__ = ["MODALITY", "TextModality"]
