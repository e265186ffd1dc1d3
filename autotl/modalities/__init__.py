"""Kinds of input: one folder each, exporting `MODALITY`; found by `autotl.modalities.registry`."""
