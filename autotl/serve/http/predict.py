"""POST /predict: files, texts or rows in, the rows of `autotl predict --json` out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse

from autotl.modalities.modality import Item
from autotl.serve.answers import describe
from autotl.serve.http.documentation import json_answer, predict_body, predict_schema
from autotl.serve.http.inputs import parse_inputs
from autotl.serve.http.service import Service


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the route that predicts."""
    task, bundle = service.predictor.task, service.predictor.bundle

    @router.post(
        "/predict",
        tags=["Prediction"],
        summary="Predict files, texts or rows",
        response_class=JSONResponse,
        responses=json_answer(predict_schema(task), failures=True),
        openapi_extra={"requestBody": predict_body(bundle, service.limits)},
    )
    async def predict(
        request: Request,
        probabilities: Literal["true", "false"] = Query("false", description="List those of all classes."),
    ) -> JSONResponse:
        kind = request.headers.get("content-type", "")

        def parse(body: bytes) -> list[Item]:
            return parse_inputs(bundle, service.limits, kind, body)

        _, (primary, _) = await service.answer(request, parse, _itself)
        rows = [describe(task, output, probabilities=probabilities == "true") for output in primary]
        content: dict[str, Any] = {"model": service.contract.name, "version": service.contract.version}
        return JSONResponse({**content, "predictions": rows})


def _itself(items: list[Item]) -> Sequence[Item]:
    return items
