"""GET /health and GET /metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from autotl import __version__
from autotl.serve.http.documentation import json_answer
from autotl.serve.http.metrics import CONTENT_TYPE
from autotl.serve.http.service import Service

_TAG = "Watching"


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that watch the server."""

    @router.get(
        "/health",
        tags=[_TAG],
        summary="Whether the server works",
        response_model=None,
        responses=json_answer(
            {
                "type": "object",
                "properties": {
                    "status": {"enum": ["ok", "failed"]},
                    "model": {"type": "string"},
                    "version": {"type": "string"},
                    "autotl": {"type": "string"},
                    "queue_items": {"type": "integer", "minimum": 0},
                },
                "required": ["status", "model", "version", "autotl", "queue_items"],
            },
            unready=True,
        ),
    )
    async def health() -> JSONResponse:
        content = {
            "status": "ok" if service.is_ready else "failed",
            "model": service.contract.name,
            "version": service.contract.version,
            "autotl": __version__,
            "queue_items": service.gate.items,
        }
        return JSONResponse(content, 200 if service.is_ready else 503)

    @router.get(
        "/metrics",
        tags=[_TAG],
        summary="Prometheus metrics",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics."}
        },
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)
