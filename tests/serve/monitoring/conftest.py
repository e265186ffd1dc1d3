"""Puts this folder on the path, so that its tests share `drift_world`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from drift_world import World


@pytest.fixture
def world() -> World:
    """Four classes."""
    return World()
