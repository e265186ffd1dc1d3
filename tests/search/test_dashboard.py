"""The journal of a run opens in optuna-dashboard."""

from __future__ import annotations

import io
import json
import sys

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna_dashboard import wsgi

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.proposals import Proposal
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder


def _get(app, path):
    environment = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    return json.loads(b"".join(app(environment, lambda *_: None)))


def test_studies_and_trials_are_shown(tmp_path):
    folder = RunFolder(tmp_path)
    config = TrialConfig("net", "top_k", {"epochs": 2, "learning_rate": 1e-3})
    curve = tuple(EpochResult(epoch, score, 0.5, 1.0) for epoch, score in ((1, 0.6), (2, 0.7)))
    with StudyStorage(folder) as storage:
        number = storage.begin(Proposal(config, "portfolio"))
        for epoch in curve:
            storage.report(number, epoch)
        storage.finish(TrialResult(number, config, TrialState.COMPLETE, 0.7, curve, seconds=2.0))
    app = wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "journal.log"))))
    (study,) = _get(app, "/api/studies")["study_summaries"]
    (trial,) = _get(app, f"/api/studies/{study['study_id']}")["trials"]
    assert (trial["state"], trial["values"]) == ("Complete", [0.7])
    assert [step["value"] for step in trial["intermediate_values"]] == [0.6, 0.7]
