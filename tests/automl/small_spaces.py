"""Search spaces for tests of whole runs: small inputs, and no control, which trains from nothing."""

from __future__ import annotations

from pathlib import Path

_SMALL = """
[strategies.from_scratch]
enabled = false
[parameters.input_size]
options = [128]
default = 128
"""


def small_space(folder: Path, more: str = "") -> Path:
    """Write such a space to a folder, with more TOML behind it; gives its path."""
    path = folder / "space.toml"
    path.write_text(_SMALL + more)
    return path
