"""A finished run is opened again from its folder and the data that it names."""

from __future__ import annotations

import json

import pytest

from autotl import AutoTL
from autotl.automl.reopen import reopen
from autotl.automl.settings import Settings
from autotl.errors import RunError
from autotl.trial.run_folder import RunFolder


@pytest.mark.parametrize(("source", "is_told"), [("photos", True), ("/data/photos", False)])
def test_data_that_are_not_found_are_told_of_with_where_their_path_begins(tmp_path, source, is_told):
    settings = Settings.of(AutoTL().get_params()).to_json()
    record = {"settings": settings, "data": {"source": source, "folder": "/home/me"}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="Only the winner, in model/, can be had without them") as raised:
        reopen(RunFolder(tmp_path))
    assert ("Its path begins in /home/me: type this there." in str(raised.value)) is is_told
