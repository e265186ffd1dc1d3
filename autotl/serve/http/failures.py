"""How errors become answers: a status and JSON that says what failed, what was found and what was expected.

{"error": ...} with a string is also what the Open Inference Protocol asks for. Never a traceback, never a
path: what the server itself gets wrong is told as "internal error" and logged.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from autotl.errors import (
    AutotlError,
    DataError,
    DeadlineError,
    OverloadedError,
    RequestError,
    TooLargeError,
    UnknownModelError,
    UnsupportedTypeError,
)
from autotl.serve.http.limits import Gate

_log = logging.getLogger(__name__)
#: Status by kind of error, the narrower ones first.
_STATUS: tuple[tuple[type[AutotlError], int], ...] = (
    (TooLargeError, 413),
    (UnsupportedTypeError, 415),
    (RequestError, 400),
    (DataError, 422),
    (UnknownModelError, 404),
    (OverloadedError, 429),
    (DeadlineError, 504),
)
_LONGEST = 300


def status_of(error: AutotlError) -> int:
    """The status that answers an error; 500 where the server is at fault."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer(error: AutotlError, gate: Gate) -> JSONResponse:
    """The response that tells an error."""
    status = status_of(error)
    if status == 500:
        _log.error("a request failed", exc_info=error)
        return plain(500, "internal error", expected="an answer", hint="The server's log has the cause.")
    headers = {"Retry-After": str(gate.retry_after_seconds)} if status == 429 else None
    return plain(
        status, error.what, found=error.found, expected=error.expected, hint=error.hint, headers=headers
    )


def plain(status: int, what: str, *, headers: dict[str, str] | None = None, **parts: object) -> JSONResponse:
    """A response from the parts of a message; those that are None are left out.

    It is ASCII, because what clients send, and is quoted here, may have no UTF-8 form.
    """
    content: dict[str, Any] = {"error": _printable(what)}
    content |= {name: _printable(str(value)) for name, value in parts.items() if value is not None}
    return JSONResponse(content, status, headers)


def install(app: FastAPI, gate: Gate) -> None:
    """Answer every error of an app in the one form."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, AutotlError)
        return answer(error, gate)

    async def routing(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        hint = "GET /docs lists what there is." if error.status_code in (404, 405) else None
        return plain(
            error.status_code, str(error.detail).lower(), hint=hint, headers=dict(error.headers or {})
        )

    async def parameters(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return plain(
            400, f"impossible parameter {where}", found=repr(first.get("input")), expected=first["msg"]
        )

    app.add_exception_handler(AutotlError, ours)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(RequestValidationError, parameters)


def _printable(text: str) -> str:
    """At most some hundred characters, of which each has a UTF-8 form."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return short.encode("utf-8", "replace").decode()
