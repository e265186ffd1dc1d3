"""Reads the body of a request within the limits, counting every byte before it is kept."""

from __future__ import annotations

from starlette.requests import Request

from autotl.errors import RequestError, TooLargeError, UnsupportedTypeError
from autotl.serve.http.limits import Hold, Limits


async def read_body(request: Request, limits: Limits, hold: Hold) -> bytes:
    """The whole body.

    A declared length is refused or reserved before anything is read; without one, each part is as it arrives.

    Args:
        request: Whose body.
        limits: The longest that is taken.
        hold: Counts the bytes until the request is over.

    Raises:
        TooLargeError: The body is longer than the limit, declared or not.
        UnsupportedTypeError: It is compressed: what it grows to is not known before.
        OverloadedError: The server holds too much already.
        starlette.requests.ClientDisconnect: The client left.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedTypeError(
            "a compressed body is not taken",
            found=f"Content-Encoding {encoding!r}",
            expected="none",
        )
    declared = _declared(request)
    if declared is not None:
        _check(declared, limits)
        hold.take(size=declared)
    parts: list[bytes] = []
    received = 0
    async for part in request.stream():
        received += len(part)
        _check(received, limits)
        if declared is None:
            hold.take(size=len(part))
        parts.append(part)
    return b"".join(parts)


def media_type(request: Request) -> str:
    """The content type in lower case, without its parameters; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _declared(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RequestError("impossible Content-Length", found=repr(text), expected="a number of bytes")
    return int(text)


def _check(size: int, limits: Limits) -> None:
    if size > limits.body_bytes:
        raise TooLargeError(
            "the body is too large",
            found=f"{size:,} bytes or more",
            expected=f"at most {limits.body_bytes:,}",
            hint="Send fewer inputs a request.",
        )
