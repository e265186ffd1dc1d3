"""Tries models: opens the bundles that are asked for, keeps the last few, predicts and explains.

Requests are read, limited and predicted by the same `Service` as those to `autotl serve`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from autotl.errors import OverloadedError, RunError, UnknownRunError
from autotl.modalities.modality import Item
from autotl.serve.answers import Answer, describe
from autotl.serve.bundle import MANIFEST
from autotl.serve.explain import explain
from autotl.serve.explain.neighbours import Examples, Neighbour
from autotl.serve.explain.page import card, page
from autotl.serve.http.inputs import parse_inputs
from autotl.serve.http.limits import Limits
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings, default_name
from autotl.trial.run_folder import RunFolder
from autotl.ui.runs import file_of

#: What a person tries at once; all else is limited as `autotl serve` limits it.
LIMITS = Limits(items=16)
#: Bundles that stay open, explanations that are kept, training rows that are shown with one.
_OPEN, _KEPT, _NEAREST = 3, 16, 3

_Key = tuple[Path, int, int]


@dataclass(eq=False)
class _Opened:
    """A bundle that is open, and how many requests use it."""

    service: Service
    users: int = 0


class Models:
    """The models of runs. Belongs to one event loop.

    Args:
        limits: How much a request may hold.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._opened: OrderedDict[_Key, _Opened] = OrderedDict()
        self._opening, self._explaining = asyncio.Lock(), asyncio.Lock()
        self._explanations: OrderedDict[str, str] = OrderedDict()

    async def predict(self, run: RunFolder, request: Request) -> list[Answer]:
        """Predict the inputs of a request; the rows of `autotl predict --json`, without names."""
        async with self._use(run) as service:
            _, outputs = await _answered(service, request)
            return [describe(service.predictor.task, row, probabilities=True) for row in outputs[0]]

    async def explain(self, run: RunFolder, request: Request) -> str:
        """Explain what is predicted for the first input of a request; gives where the page of it is found.

        Raises:
            OverloadedError: An explanation is being made.
        """
        if self._explaining.locked():
            raise OverloadedError(
                "the server is busy", found="another explanation", hint="Try again when it is there."
            )
        async with self._explaining, self._use(run) as service:
            items, _ = await _answered(service, request)
            made = await asyncio.to_thread(_explained, service, run, items[0])
        token = secrets.token_urlsafe(16)
        self._explanations[token] = made
        if len(self._explanations) > _KEPT:
            self._explanations.popitem(last=False)
        return token

    def explanation(self, token: str) -> str:
        """The page of an explanation.

        Raises:
            UnknownRunError: It is no longer kept.
        """
        if token not in self._explanations:
            raise UnknownRunError("this explanation is no longer kept", hint="Ask for it again.")
        return self._explanations[token]

    async def close(self) -> None:
        """Close all bundles."""
        while self._opened:
            await self._opened.popitem()[1].service.stop()

    @asynccontextmanager
    async def _use(self, run: RunFolder) -> AsyncIterator[Service]:
        """The model of a run, open for as long as the block lasts.

        Raises:
            UnknownRunError: The run has none.
            BundleError: It is incomplete, or was changed.
        """
        async with self._opening:
            opened = await self._open(run)
            opened.users += 1
        try:
            yield opened.service
        finally:
            opened.users -= 1

    async def _open(self, run: RunFolder) -> _Opened:
        stat = file_of(run, f"{run.bundle.name}/{MANIFEST}").stat()
        key = (run.bundle, stat.st_ino, stat.st_mtime_ns)
        if key not in self._opened:
            settings = Settings(str(run.bundle), default_name(run.bundle), limits=self._limits)
            service = await asyncio.to_thread(Service, settings)
            await service.start()
            self._opened[key] = _Opened(service)
            await self._close_idle(key)
        self._opened.move_to_end(key)
        return self._opened[key]

    async def _close_idle(self, keep: _Key) -> None:
        """Close those used longest ago while too many are open, but none that is in use."""
        for key in [key for key, opened in self._opened.items() if not opened.users and key != keep]:
            if len(self._opened) > _OPEN:
                await self._opened.pop(key).service.stop()


async def _answered(service: Service, request: Request) -> tuple[list[Item], list[Any]]:
    """The inputs of a request and the model's outputs for them."""
    kind, bundle = request.headers.get("content-type", ""), service.predictor.bundle

    def parse(body: bytes) -> list[Item]:
        return parse_inputs(bundle, service.limits, kind, body)

    return await service.answer(request, parse, lambda items: items)


def _explained(service: Service, run: RunFolder, item: Item) -> str:
    """The page that explains what is predicted for an input; loads nothing and runs no script."""
    predictor = service.predictor
    (found,) = explain(predictor, [item])
    nearest: list[Neighbour] = []
    try:
        examples = Examples.read(run.path, predictor.bundle)
    except RunError:
        examples = None
    if examples is not None:
        nearest = examples.nearest(predictor.task, found.features, _NEAREST)
    return page("Why", [card(f"Why {found.name}?", found, nearest)])
