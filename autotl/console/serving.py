"""`autotl serve`: checks, listens, says where, and serves."""

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
    host = f"[{settings.host}]" if ":" in settings.host else settings.host

    def ready(port: int) -> None:
        url = f"http://{host}:{port}"
        typer.echo(f"Serving {settings.name} at {url}; {url}/docs shows how to ask. Ctrl-C ends it.")

    serve(settings, ready)
