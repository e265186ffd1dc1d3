"""`Observe`: the middleware that logs and counts every request, and answers for what the routes let fall."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autotl.serve.http.failures import plain
from autotl.serve.http.logs import FIELDS
from autotl.serve.http.metrics import Metrics

_log = logging.getLogger(__name__)
#: A client that left before it was answered; nginx's number, never sent.
CLIENT_LEFT = 499


class Observe:
    """Wraps an app.

    Args:
        app: The app.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; other events pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # a defect: told in the log, answered without details
            _log.error("a request failed", exc_info=error)
            if status:
                raise
            await plain(500, "internal error", hint="The server's log has the cause.")(
                scope, receive, watched
            )
        finally:
            self._tell(scope, status or CLIENT_LEFT, time.perf_counter() - start)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", None) or "unknown"
        self._metrics.request(path, status, seconds)
        state = scope["state"]
        fields = {
            "event": "request",
            "method": scope["method"],
            "route": path,
            "status": status,
            "ms": round(1000 * seconds, 2),
            "items": state.get("items", 0),
            "bytes": state.get("bytes", 0),
        }
        _log.info("request", extra={FIELDS: fields})
