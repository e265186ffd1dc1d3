"""The routes of the page: names are looked up, never joined to a path.

/                               the page; its files are /page/NAME
/api/runs                       all runs; /api/runs/NAME one, /api/runs/NAME/live where it stands
/api/compare?run=A&run=B        runs side by side
/api/runs/NAME/predict          POST inputs as to `autotl serve`; .../explain says why
/runs/NAME/report.html          files of a run: also leaderboard.csv, and model.zip
/explanations/TOKEN             what .../explain made
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from autotl.errors import AutotlError, BundleError, MissingExtraError, RunError, UnknownRunError
from autotl.report.words import SHORT_NAMES
from autotl.search.following import RunState
from autotl.serve.http.failures import plain, status_of
from autotl.serve.http.observe import CLIENT_LEFT
from autotl.trial.run_folder import RunFolder
from autotl.ui.archive import zipped
from autotl.ui.comparing import compared
from autotl.ui.describing import REPORT, TABLE, bundle_of, card, details
from autotl.ui.guard import Guard
from autotl.ui.runs import Runs, file_of
from autotl.ui.trying import Models
from autotl.ui.watching import Watcher

_log = logging.getLogger(__name__)
#: What a report may do: run its own script and style, alone: it may come from elsewhere with its run.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-modals"
)
#: An explanation has no script at all, and stands in a frame of the page.
_EXPLANATION_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Errors that a person can put right, in words; others of the program are told as such.
_TOLD = (RunError, BundleError, MissingExtraError)


def create_app(root: Path, host: str = "127.0.0.1") -> Starlette:
    """The ASGI app.

    Args:
        root: A folder of run folders, or one.
        host: The address that it is served at.

    Raises:
        RunError: There is no such folder.
    """
    page = _Page(Runs(root))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await page.models.close()

    return Starlette(
        routes=page.routes(),
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={
            AutotlError: _refused,
            HTTPException: _unrouted,
            ClientDisconnect: _left,
            Exception: _failed,
        },
        lifespan=lifespan,
    )


class _Page:
    """The endpoints, and what they share. Those that are not async run in threads."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.watcher, self.models = runs, Watcher(), Models()
        self.static = _static()

    def routes(self) -> list[Route]:
        """All of them."""
        run = "/api/runs/{name}"
        return [
            Route("/", self.index),
            Route("/page/{file}", self.file),
            Route("/api/runs", self.cards),
            Route("/api/compare", self.compare),
            Route(run, self.run),
            Route(f"{run}/live", self.live),
            Route(f"{run}/predict", self.predict, methods=["POST"]),
            Route(f"{run}/explain", self.explain, methods=["POST"]),
            Route(f"/runs/{{name}}/{REPORT}", self.report),
            Route(f"/runs/{{name}}/{TABLE}", self.table),
            Route("/runs/{name}/model.zip", self.archive),
            Route("/explanations/{token}", self.explanation),
        ]

    def index(self, _: Request) -> Response:
        """The page."""
        return self._static_file("index.html")

    def file(self, request: Request) -> Response:
        """A file of the page."""
        return self._static_file(request.path_params["file"])

    def cards(self, _: Request) -> Response:
        """Cards of all runs, the one begun last first."""
        found = [self._card(name, run) for name, run in self.runs.folders().items()]
        found.sort(key=lambda run: (str(run["started"]), str(run["name"])), reverse=True)
        return JSONResponse({"root": str(self.runs.root), "runs": found})

    def run(self, request: Request) -> Response:
        """All that is known of a run, but for its progress."""
        name = request.path_params["name"]
        run = self.runs.find(name)
        found = self._card(name, run)
        return JSONResponse({**found, **details(run, RunState(str(found["state"])))})

    def live(self, request: Request) -> Response:
        """Where a run stands."""
        return JSONResponse(self.watcher.look(self.runs.find(request.path_params["name"])))

    def compare(self, request: Request) -> Response:
        """Chosen runs side by side."""
        names = dict.fromkeys(request.query_params.getlist("run"))
        return JSONResponse(compared({name: self.runs.find(name) for name in names}))

    async def predict(self, request: Request) -> Response:
        """Predictions of the inputs that were sent."""
        return JSONResponse({"predictions": await self.models.predict(self._named(request), request)})

    async def explain(self, request: Request) -> Response:
        """Where the explanation of the first input that was sent is found."""
        token = await self.models.explain(self._named(request), request)
        return JSONResponse({"page": f"/explanations/{token}"})

    async def explanation(self, request: Request) -> Response:
        """An explanation."""
        made = self.models.explanation(request.path_params["token"])
        return HTMLResponse(made, headers={"Content-Security-Policy": _EXPLANATION_POLICY})

    def report(self, request: Request) -> Response:
        """The report of a run."""
        path = file_of(self._named(request), REPORT)
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})

    def table(self, request: Request) -> Response:
        """The leaderboard of a run as CSV."""
        name = f"{request.path_params['name']}-{TABLE}"
        return FileResponse(file_of(self._named(request), TABLE), media_type="text/csv", filename=name)

    def archive(self, request: Request) -> Response:
        """The bundle of a run as a zip archive."""
        name = request.path_params["name"]
        pieces = zipped(bundle_of(self._named(request)), f"{name}-model")
        disposition = f"attachment; filename*=utf-8''{quote(name, safe='')}-model.zip"
        return StreamingResponse(
            pieces, media_type="application/zip", headers={"Content-Disposition": disposition}
        )

    def _named(self, request: Request) -> RunFolder:
        return self.runs.find(request.path_params["name"])

    def _card(self, name: str, run: RunFolder) -> dict[str, object]:
        state = self.watcher.state(run)
        return card(name, run, state, self.watcher.look(run) if state is RunState.LIVE else None)

    def _static_file(self, name: str) -> Response:
        if name not in self.static:
            raise HTTPException(404)
        kind, content = self.static[name]
        return Response(content, media_type=kind)


def _static() -> dict[str, tuple[str, bytes]]:
    """The files of the page by name, with their types; and what it shares with reports: style, and names."""
    found = {entry.name: entry.read_bytes() for entry in files("autotl.ui").joinpath("page").iterdir()}
    found["report.css"] = files("autotl.report").joinpath("templates", "report.css").read_bytes()
    found["names.js"] = f"export const SHORT_NAMES = {json.dumps(SHORT_NAMES)};\n".encode()
    kinds = {name: _TYPES.get(Path(name).suffix) for name in found}
    return {name: (kind, found[name]) for name, kind in kinds.items() if kind is not None}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AutotlError)
    status = 404 if isinstance(error, UnknownRunError) else status_of(error)
    if status == 500 and isinstance(error, _TOLD):
        status = 422
    if status == 500:
        _log.error("a request failed", exc_info=error)
        return await _failed(request, error)
    return plain(status, error.what, found=error.found, expected=error.expected, hint=error.hint)


async def _unrouted(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain(error.status_code, str(error.detail).lower(), headers=dict(error.headers or {}))


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


async def _failed(_: Request, __: Exception) -> Response:
    return plain(500, "internal error", hint="The terminal that runs autotl ui says more.")
