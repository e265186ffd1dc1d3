"""Shared by all tests: caches of their own, and property tests that do not depend on the machine's speed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


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
