"""Logs as JSON lines on standard error: numbers and names of routes, never what was sent or predicted."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

#: Attribute of a log record that holds the fields of its line.
FIELDS = "fields"
_SERVER = "uvicorn"


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message or the fields of `extra={"fields": ...}`.

    Of an exception it tells the kind and the place in the code; its message may quote a payload.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "pid": record.process}
        fields = getattr(record, FIELDS, None)
        line |= fields if fields is not None else {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = type(record.exc_info[1]).__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line)


def configuration() -> dict[str, Any]:
    """What `logging.config.dictConfig` takes, in the parent and in every worker."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.{JsonLines.__name__}"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"autotl": {"level": "INFO"}, _SERVER: {"level": "INFO"}},
    }
