"""Pages are walked through once; one that goes on from another gets what that one left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docs.making.walk import Said, Walks


@pytest.fixture(scope="module")
def said() -> dict[str, Said]:
    """What blocks said, by where they stand."""
    return {}


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory, said: dict[str, Said]) -> Iterator[Walks]:
    """Walks through pages, slow blocks left out; controls, which no page depends on, train one epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autotl.automl.time_plan._CONTROL_ROWS", 1)
        yield Walks(
            lambda page: tmp_path_factory.mktemp(page.replace("/", "-")),
            hear=lambda block, outcome: said.__setitem__(block.where, outcome),
        )
