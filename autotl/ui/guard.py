"""`Guard`: lets in only requests of the page itself, and says in every answer what a browser may do with it.

A local server has no password; what other web pages could make a browser send to it is refused here. A page
whose name was turned to this address (DNS rebinding) names itself in `Host`; a form or script of another page
is told by `Origin` and `Sec-Fetch-Site`.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autotl.serve.http.failures import plain

#: What the page may do: load its own files and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """Wraps the app.

    Args:
        app: The app.
        host: The address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_ours(hosts[0], self._host):
            found = ", ".join(hosts)[:80] or "none"
            refusal = plain(
                421, "this name is not served here", found=f"Host {found}", hint="Use 127.0.0.1 or localhost."
            )
            await refusal(scope, receive, guarded)
        elif scope["method"] not in _SAFE_METHODS and not _is_from_here(headers, hosts[0]):
            refusal = plain(403, "a request from another page", hint="Open this page itself.")
            await refusal(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def is_ours(authority: str, host: str) -> bool:
    """Whether a `Host` header names this server, not a name that somebody else turned to its address.

    Ports are not compared: they differ behind a tunnel. Where the server listens beyond this machine, plain
    addresses and the machine's own name are taken, too; an address cannot be turned.

    Args:
        authority: The header: a name or address, with or without a port.
        host: The address that the server listens on.
    """
    name = _name(authority)
    if name is None:
        return False
    if name in {"localhost", "127.0.0.1", "::1", host.lower()}:
        return True
    return not is_loopback(host) and (_is_address(name) or name == socket.gethostname().lower())


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_from_here(headers: Headers, host: str) -> bool:
    """Whether a request that may change something was made by a page of this server, or by no page."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() == f"http://{host}".lower()


def _name(authority: str) -> str | None:
    """Name or address of an authority in lower case; None where it is malformed."""
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or "@" in authority:
        return None
    return parts.hostname


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
