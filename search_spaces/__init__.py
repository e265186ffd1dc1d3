"""Declarative search spaces, one TOML file a modality; read by autotl.backbones and autotl.space."""
