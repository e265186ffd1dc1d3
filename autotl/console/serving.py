"""`autotl serve` and `autotl ui`: check, listen, say where, and serve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer


def serve_bundle(folder: Path, name: str | None, limits: Mapping[str, Any], **how: Any) -> None:
    """Serve a bundle until a signal ends it.

    Args:
        folder: The bundle.
        name: The model's name in URLs; from the folder where None.
        limits: Parameters of `Limits`.
        how: Further parameters of `Settings`.

    Raises:
        AutotlError: The bundle cannot be read, the address not be bound, or a limit not be met.
        ModuleNotFoundError: The extra `serve` is not installed.
    """
    from autotl.serve.http.limits import Limits
    from autotl.serve.http.server import serve
    from autotl.serve.http.settings import Settings, default_name

    settings = Settings(str(folder), name or default_name(folder), limits=Limits(**limits), **how)

    def ready(port: int) -> None:
        url = _url(settings.host, port)
        typer.echo(f"Serving {settings.name} at {url}; {url}/docs shows how to ask. Ctrl-C ends it.")

    serve(settings, ready)


def serve_runs(root: Path, host: str, port: int, *, browser: bool) -> None:
    """Show run folders in the browser until a signal ends it.

    Args:
        root: A folder of run folders, or one.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        browser: Open the page.

    Raises:
        AutotlError: There is no such folder, or the address cannot be bound.
        ModuleNotFoundError: The extra `serve` is not installed.
    """
    from autotl.ui.server import is_loopback, serve

    def ready(bound: int) -> None:
        url = _url(host, bound)
        typer.echo(f"Runs in {root} are at {url}. Ctrl-C ends it.")
        if not is_loopback(host):
            typer.echo("warning: whoever reaches this address sees all runs; there is no password", err=True)
        if browser:
            import webbrowser

            webbrowser.open(url)

    serve(root, host, port, ready)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
