"""`Ledger`: what a run records of itself in `run.json`, how it stands for time, and whom it tells."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from autotl.automl.settings import Settings
from autotl.automl.stages import Stages
from autotl.automl.time_plan import TimePlan
from autotl.search.events import Event, Listener, Note, silent
from autotl.trial.run_folder import RunFolder
from autotl.versions import versions


class Ledger:
    """The record of one run.

    Args:
        settings: What the user asked for.
        listener: Told of everything.
        start: When the run began, on the monotonic clock.

    Attributes:
        record: The content of `run.json`, JSON-ready.
        stages: Which stage the run is in.
        time: How it divides its time.
    """

    def __init__(self, settings: Settings, listener: Listener | None, start: float) -> None:
        self._listener = listener or silent
        distills = settings.distill_to is not None
        self.time = TimePlan(settings.time_seconds, settings.trials, start, distills=distills)
        self.stages = Stages(self.tell)
        self.record: dict[str, Any] = {
            "command": sys.argv,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": settings.seed,
            "budget_seconds": settings.time_seconds,
            "settings": settings.to_json(),
            "versions": versions(),
            "notes": [],
        }

    def tell(self, event: Event) -> None:
        """Pass an event on; warnings also become part of the record."""
        if isinstance(event, Note) and event.warning:
            self.record["notes"].append(event.message)
        self._listener(event)

    def show(self, event: Event) -> None:
        """Pass an event on that the record has in another form."""
        self._listener(event)

    def write(self, folder: RunFolder) -> None:
        """Write the record as it stands."""
        self.record["seconds"] = self.time.elapsed
        folder.write_json("run.json", self.record)
