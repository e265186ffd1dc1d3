"""Shared by all tests: caches of their own, and property tests that do not depend on the machine's speed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
#: For what must withstand anything: AUTOTL_EXAMPLES says how much of it each such test tries.
settings.register_profile(
    "many",
    settings(),
    max_examples=int(os.environ.get("AUTOTL_EXAMPLES", "300")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Shells start background jobs deaf to SIGINT; the tests that interrupt need it everywhere."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests download, measure and learn out of the user's folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOTL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("AUTOTL_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def files_of_at_most() -> Callable[[int], AbstractContextManager[None]]:
    """Let the system refuse longer files for a while, as a full disk does."""
    resource = pytest.importorskip("resource", reason="limits of file size are POSIX")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, as Playwright drives it; AUTOTL_BROWSER=1 makes its absence a failure."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        (pytest.fail if os.environ.get("AUTOTL_BROWSER") == "1" else pytest.skip)("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *_FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Makes pages of a width, each with a profile of its own; `page.complaints` has what they complain of."""
    contexts = []

    def make(width: int = 1440, **options: Any) -> Any:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def open_file(new_page: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a page that lies in a file; what it asks for beyond itself is a complaint as well."""

    def opened(path: Path, width: int = 1440, **options: Any) -> Any:
        page = new_page(width, **options)

        def only_itself(asked: Any) -> None:
            if not asked.url.startswith(("file:", "data:")):
                page.complaints.append(f"asked for {asked.url}")

        page.on("request", only_itself)
        page.goto(path.as_uri())
        return page

    return opened
