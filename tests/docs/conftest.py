"""Pages are walked through once a session; one that goes on from another gets what that one left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docs.making.walk import Said, Walks


@pytest.fixture(scope="session")
def said() -> dict[str, Said]:
    """What blocks said in this session, by where they stand."""
    return {}


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory, said: dict[str, Said]) -> Iterator[Walks]:
    """Walks through pages, slow blocks left out; controls, which no page depends on, train one epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autotl.automl.time_plan._CONTROL_ROWS", 1)
        yield Walks(
            lambda page: tmp_path_factory.mktemp(page.replace("/", "-")),
            hear=lambda block, outcome: said.__setitem__(block.where, outcome),
        )
