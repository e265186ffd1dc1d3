"""Runs the page under uvicorn, in this process, until a signal ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import uvicorn

from autotl.serve.http.server import listen
from autotl.ui.app import create_app
from autotl.ui.guard import is_loopback

__all__ = ["is_loopback", "serve"]

#: What a stopping server grants requests that are under way.
_GRACE_SECONDS = 3


def serve(root: Path, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Args:
        root: A folder of run folders, or one.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        ready: Called with the port once connections can come.

    Raises:
        RunError: There is no such folder.
        SettingsError: The address cannot be bound.
    """
    app = create_app(root, host)
    with listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        ready(listener.getsockname()[1])
        # After an orderly end uvicorn raises the signals that it was sent again, for whoever listened before.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run([listener])
