"""Served bundles to ask: in this process, with the limits that a test wants."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autotl.serve.http.app import create_app
from autotl.serve.http.limits import Limits
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings

Serve = Callable[..., TestClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a bundle as "model"; the service is `client.service`."""
    with ExitStack() as stack:

        def start(bundle: Path, limits: dict[str, Any] | None = None, **settings: Any) -> TestClient:
            chosen = Settings(str(bundle), "model", threads=1, limits=Limits(**(limits or {})), **settings)
            service = Service(chosen)
            client = TestClient(create_app(service), raise_server_exceptions=False)
            client.service = service
            return stack.enter_context(client)

        yield start


def encoded(path: Path) -> str:
    """A file in base64."""
    return base64.b64encode(path.read_bytes()).decode()
