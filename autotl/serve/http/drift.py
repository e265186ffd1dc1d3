"""GET /drift: whether what this process was asked lately still looks like what the model was measured on.

Only outputs and features of the last inputs are held, never the inputs. With several workers each tells of
its own. A bundle that describes no held-out rows has no such route.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.responses import JSONResponse

from autotl.modalities.modality import Example
from autotl.serve.http.documentation import json_answer
from autotl.serve.http.service import Service
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.reference import KEY

Array = NDArray[Any]
#: The last inputs that are looked at.
ROWS = 1000


class Window:
    """The outputs and features of the last rows that the model saw.

    Args:
        rows: How many.
    """

    def __init__(self, rows: int = ROWS) -> None:
        self._rows: deque[tuple[Array, Array]] = deque(maxlen=rows)
        self._lock = threading.Lock()
        self.seen = 0

    def take(self, _: Sequence[Example], outputs: Sequence[Array]) -> None:
        """Remember the rows of a batch that are finite; called in the model's thread."""
        rows = zip(outputs[0], outputs[1].astype(np.float32), strict=True)
        finite = [row for row in rows if all(np.isfinite(part).all() for part in row)]
        with self._lock:
            self._rows.extend(finite)
            self.seen += len(finite)

    def rows(self) -> tuple[Array, Array]:
        """Outputs (N, ...) and features (N, F); N is at least 1."""
        with self._lock:
            held = list(self._rows)
        outputs, features = zip(*held, strict=True)
        return np.stack(outputs), np.stack(features)


class Watch:
    """Checks a window, at most once for the same rows.

    Args:
        monitor: What checks.
        window: What is checked.
    """

    def __init__(self, monitor: Monitor, window: Window) -> None:
        self._monitor, self._window = monitor, window
        self._turn = asyncio.Lock()
        self._told: tuple[int, dict[str, Any]] = (-1, {})

    async def report(self) -> dict[str, Any]:
        """What `Monitor.check` says of the window, JSON-ready."""
        async with self._turn:
            seen = self._window.seen
            if seen == 0:
                return {"verdict": "too few rows", "rows": 0}
            if self._told[0] != seen:
                found = await asyncio.to_thread(lambda: self._check(*self._window.rows()))
                self._told = seen, found
            return self._told[1]

    def _check(self, outputs: Array, features: Array) -> dict[str, Any]:
        text = json.dumps(self._monitor.check(outputs, features).to_json())
        plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)  # JSON knows no infinity
        return plain


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the route, and hold what it looks at."""
    bundle = service.predictor.bundle
    if KEY not in bundle.manifest:
        return
    window = Window()
    watch = Watch(Monitor.of(bundle), window)
    service.observers.append(window.take)

    @router.get(
        "/drift",
        tags=["Watching"],
        summary="Whether inputs still look like what the model was measured on",
        description=f"Compares the last {ROWS:,} inputs of this process with held-out rows, as "
        "`autotl monitor` does.",
        response_model=None,
        responses=json_answer(
            {
                "type": "object",
                "properties": {
                    "verdict": {"enum": ["drift", "no drift found", "too few rows"]},
                    "rows": {"type": "integer", "minimum": 0},
                },
                "required": ["verdict", "rows"],
            },
        ),
    )
    async def drift() -> JSONResponse:
        return JSONResponse(await watch.report())
