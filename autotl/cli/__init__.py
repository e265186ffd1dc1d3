"""The command line: one Typer app, one short function a verb; a module holds the verbs on one kind of thing.

Nothing that takes long to import is imported before a verb runs. How things look is `autotl.console`'s.
"""

from __future__ import annotations

import os

from autotl.cli.app import app

# isort: off
from autotl.cli import search  # verbs stand in the help in this order
from autotl.cli import runs
from autotl.cli import models
# isort: on

__all__ = ["app", "main", "models", "runs", "search"]


def main() -> None:
    """Entry point of the console script."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    app()
