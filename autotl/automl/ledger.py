"""`Ledger`: what a run records of itself in `run.json`, how it stands for time, and whom it tells."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from autotl.automl.settings import Settings
from autotl.automl.stages import Stages
from autotl.automl.time_plan import TimePlan
from autotl.errors import AutotlError
from autotl.report.provenance import without_secrets
from autotl.report.recorded import number
from autotl.search.event_log import EventLog
from autotl.search.events import Event, Listener, Note, RunEnded, RunStarted, silent
from autotl.trial.run_folder import RunFolder
from autotl.versions import versions

#: What of the record holds addresses as they were typed, passwords included, which stay with the process.
_TYPED = ("settings", "command", "resumed")


class Ledger:
    """The record of one run; a context that says how the run began and ended.

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
        self._listener, self._log = listener or silent, EventLog(start)
        distills = settings.distill_to is not None
        self.time = TimePlan(settings.time_seconds, settings.trials, start, distills=distills)
        self.stages = Stages(self.tell)
        self._earlier_seconds = 0.0
        begun = datetime.now(UTC) - timedelta(seconds=time.monotonic() - start)
        self._started = RunStarted(
            begun.isoformat(), settings.time_seconds, settings.trials, resumed=settings.resume
        )
        self.record: dict[str, Any] = {
            "started": begun.isoformat(timespec="seconds"),
            "seed": settings.seed,
            "budget_seconds": settings.time_seconds,
            "settings": settings.to_json(),
            "versions": versions(),
            "notes": [],
        }

    def go_on(self, former: Mapping[str, Any]) -> None:
        """Go on from the record of a run that was broken off or is given more time: its seconds count."""
        self._earlier_seconds = number(former.get("seconds")) or 0.0
        self.record["started"] = former.get("started", self.record["started"])
        if self.record["budget_seconds"] is not None:
            self.record["budget_seconds"] += self._earlier_seconds

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, those before it went on included."""
        return self._earlier_seconds + self.time.elapsed

    def __enter__(self) -> Self:
        self.show(self._started)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.show(_end(error))
        finally:
            self._log.close()

    def tell(self, event: Event) -> None:
        """Pass an event on; warnings also become part of the record."""
        if isinstance(event, Note) and event.warning:
            self.record["notes"].append(event.message)
        self.show(event)

    def show(self, event: Event) -> None:
        """Pass an event on that the record has in another form."""
        self._log(event)
        self._listener(event)

    @contextmanager
    def claimed(self, folder: RunFolder) -> Iterator[None]:
        """Keep other processes out of the folder; it is let go where the block fails before it writes.

        Raises:
            RunError: Another process is at work in this folder.
        """
        self._log.claim(folder.path)
        try:
            yield
        except BaseException:
            self._log.release()
            raise

    def write(self, folder: RunFolder) -> None:
        """Write the record as it stands; from the first time on, events also go to the folder's log.

        Raises:
            RunError: Another process is at work in this folder.
        """
        self._log.open(folder.path)
        self.record["seconds"] = self.seconds
        typed = {name: without_secrets(self.record[name]) for name in _TYPED if name in self.record}
        folder.write_json("run.json", {**self.record, **typed})


def _end(error: BaseException | None) -> RunEnded:
    """How a run ended that an error ended, or none."""
    if error is None:
        return RunEnded("finished")
    if isinstance(error, KeyboardInterrupt):
        return RunEnded("interrupted")
    message = str(error) if isinstance(error, AutotlError) else f"{type(error).__name__}: {error}"
    return RunEnded("failed", message)
