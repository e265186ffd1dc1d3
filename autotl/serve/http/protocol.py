"""The Open Inference Protocol (KServe v2 over REST): health, metadata and inference under /v2."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response

from autotl import __version__
from autotl.errors import RequestError, UnknownModelError, UnsupportedTypeError
from autotl.serve.http.body import media_type
from autotl.serve.http.contract import LABEL
from autotl.serve.http.documentation import (
    boolean_answer,
    infer_answer,
    infer_body,
    json_answer,
    metadata_schema,
    model_parameters,
    server_schema,
)
from autotl.serve.http.infer import InferRequest, parse_infer, write_infer
from autotl.serve.http.inputs import BINARY, JSON, takes_files
from autotl.serve.http.service import Service

HEADER_LENGTH = "Inference-Header-Content-Length"
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_TAG = "Open Inference Protocol"


def add_routes(router: APIRouter, service: Service) -> None:
    """Add all routes of the protocol; models also under the version that is served."""
    _add_server(router, service)
    for path in (_MODEL, _VERSION):
        _add_model(router, path, service)


def _add_server(router: APIRouter, service: Service) -> None:
    @router.get(
        "/v2",
        tags=[_TAG],
        summary="Server metadata",
        response_model=None,
        responses=json_answer(server_schema()),
    )
    async def server() -> dict[str, Any]:
        return {"name": "autotl", "version": __version__, "extensions": ["binary_tensor_data"]}

    @router.get(
        "/v2/health/live",
        tags=[_TAG],
        summary="Liveness",
        response_model=None,
        responses=boolean_answer("live"),
    )
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get(
        "/v2/health/ready",
        tags=[_TAG],
        summary="Readiness",
        response_model=None,
        responses=boolean_answer("ready"),
    )
    async def ready() -> JSONResponse:
        return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else 503)


def _add_model(router: APIRouter, path: str, service: Service) -> None:
    contract = service.contract
    documented = {"parameters": model_parameters(contract, versioned=path == _VERSION)}

    @router.get(
        path,
        tags=[_TAG],
        summary="Model metadata",
        response_model=None,
        responses=json_answer(metadata_schema(), missing=True),
        openapi_extra=documented,
    )
    async def metadata(request: Request) -> dict[str, Any]:
        _check(request, service)
        return contract.metadata()

    @router.get(
        f"{path}/ready",
        tags=[_TAG],
        summary="Model readiness",
        response_model=None,
        responses=boolean_answer("ready", missing=True),
        openapi_extra=documented,
    )
    async def model_ready(request: Request) -> JSONResponse:
        _check(request, service)
        content = {"name": contract.name, "ready": service.is_ready}
        return JSONResponse(content, 200 if service.is_ready else 503)

    @router.post(
        f"{path}/infer",
        tags=[_TAG],
        summary="Inference",
        response_class=JSONResponse,
        responses=infer_answer(contract),
        openapi_extra={
            **documented,
            "requestBody": infer_body(contract, service.limits, service.predictor.bundle),
        },
    )
    async def infer(request: Request) -> Response:
        _check(request, service)
        return await _infer(request, service)


def _check(request: Request, service: Service) -> None:
    """Refuse another model, or another version of it."""
    contract = service.contract
    for part, found, served in (
        ("model", request.path_params["model"], contract.name),
        ("version", request.path_params.get("version", contract.version), contract.version),
    ):
        if found != served:
            raise UnknownModelError(f"no such {part}", found=repr(found)[:80], expected=repr(served))


async def _infer(request: Request, service: Service) -> Response:
    contract = service.contract
    header_bytes = _header_bytes(request)
    files = takes_files(service.predictor.bundle)

    def parse(body: bytes) -> InferRequest:
        return parse_infer(contract, service.limits, files, body, header_bytes)

    asked, (primary, features) = await service.answer(request, parse, lambda asked: asked.items)
    arrays: dict[str, NDArray[Any]] = dict(
        zip(service.predictor.bundle.outputs, (primary, features), strict=True)
    )
    if LABEL in asked.outputs:
        arrays[LABEL] = labels(service, primary)
    body, json_bytes = write_infer(contract, asked, arrays)
    if json_bytes is None:
        return Response(body, media_type=JSON)
    return Response(body, media_type=BINARY, headers={HEADER_LENGTH: str(json_bytes)})


def labels(service: Service, primary: NDArray[Any]) -> NDArray[Any]:
    """Class names (N,), or for a multilabel task JSON lists of labels, as an object array."""
    decided = service.predictor.decide(primary)
    names = [json.dumps(row, ensure_ascii=False) if isinstance(row, list) else row for row in decided]
    return np.array(names, object)


def _header_bytes(request: Request) -> int | None:
    """Where the JSON ends and binary tensors begin; None where there are none."""
    text = request.headers.get(HEADER_LENGTH)
    kind = media_type(request)
    if kind != JSON and not (kind == BINARY and text is not None):
        raise UnsupportedTypeError(
            "cannot read a body of this kind",
            found=f"Content-Type {kind!r}",
            expected=f"{JSON}, or {BINARY} with the header {HEADER_LENGTH}",
        )
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise RequestError(f"impossible {HEADER_LENGTH}", found=repr(text)[:40], expected="a number of bytes")
    return int(text)
