"""Assembles the app: one service, the routes that share it, errors, metrics and logs around them."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from autotl import __version__
from autotl.serve.http import drift, failures, health, page, predict, protocol
from autotl.serve.http.metrics import forget_dead_workers
from autotl.serve.http.observe import CLIENT_LEFT, Observe
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings

#: Where worker processes find their settings.
SETTINGS = "AUTOTL_SERVE_SETTINGS"
#: Every group of endpoints, as a function that adds them; one more for a further endpoint. All share one
#: router, because a router within a router is one more search for every request.
ROUTES: tuple[Callable[[APIRouter, Service], None], ...] = (
    predict.add_routes,
    protocol.add_routes,
    health.add_routes,
    drift.add_routes,
    page.add_routes,
)


def create_app(service: Service) -> FastAPI:
    """The ASGI app that serves a bundle; its lifespan starts and ends the service's threads."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    bundle = service.predictor.bundle
    app = FastAPI(
        title=f"{service.contract.name}, served by autotl",
        description=f"A {bundle.task.kind.value} model: {bundle.spec.modality} to {bundle.task.target}.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for add_routes in ROUTES:
        add_routes(app.router, service)
    failures.install(app, service.gate)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_middleware(Observe, metrics=service.metrics)
    return app


def from_environment() -> FastAPI:
    """The app of a process that was told its settings in the environment."""
    logging.captureWarnings(True)
    forget_dead_workers()
    return create_app(Service(Settings.from_json(os.environ[SETTINGS])))


async def _left(_: Request, __: Exception) -> Response:
    """Goes nowhere, and tells the log what happened."""
    return Response(status_code=CLIENT_LEFT)
