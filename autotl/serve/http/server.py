"""Runs the app under uvicorn, in one process or several, until a signal ends it in good order."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from autotl.errors import SettingsError
from autotl.serve.bundle import read_bundle
from autotl.serve.http.app import SETTINGS, create_app
from autotl.serve.http.logs import configuration
from autotl.serve.http.metrics import SHARED_FOLDER
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings
from autotl.serve.session import check_device

_FACTORY = "autotl.serve.http.app:from_environment"
_BACKLOG = 2048
#: What a stopping server grants its requests beyond their own limit of time.
_GRACE_SECONDS = 5


def serve(settings: Settings, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests are answered first, then this returns.

    Args:
        settings: What and how.
        ready: Called with the port once the bundle has been read and connections can come.

    Raises:
        BundleError: The bundle is missing, incomplete, or was changed.
        MissingExtraError: ONNX Runtime cannot run on the device that was asked for.
        SettingsError: The address cannot be bound.
    """
    app: FastAPI | str
    if settings.workers == 1:
        app = create_app(Service(settings))
    else:
        app = _FACTORY
        read_bundle(Path(settings.bundle))
        check_device(settings.device)
    with listen(settings.host, settings.port) as listener:
        config = _config(app, settings)
        logging.captureWarnings(True)
        ready(listener.getsockname()[1])
        if settings.workers == 1:
            _run_here(config, listener)
        else:
            _run_workers(config, listener, settings)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        SettingsError: The address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"cannot listen on {host}, port {port}",
            found=getattr(error, "strerror", None) or error,
            expected="a free port of this machine",
            hint="Choose another with --port, or 0 for any free one.",
        ) from error


def _run_here(config: uvicorn.Config, listener: socket.socket) -> None:
    # After an orderly end uvicorn raises the signals that it was sent again, for whoever listened before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run([listener])


def _run_workers(config: uvicorn.Config, listener: socket.socket, settings: Settings) -> None:
    os.environ[SETTINGS] = settings.to_json()
    with tempfile.TemporaryDirectory(prefix="autotl-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        Multiprocess(config, [listener]).run()


def _config(app: FastAPI | str, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        lifespan="on",
        ws="none",
        log_config=configuration(),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.limits.timeout_seconds) + _GRACE_SECONDS,
    )
