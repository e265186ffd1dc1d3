"""A finished run is logged to MLflow, with its trials as children; a server that fails costs nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest
from mlflow import MlflowClient

from autotl.automl import log_run
from autotl.errors import RunError, TrackingError
from autotl.report import mlflow
from autotl.task import TaskKind
from autotl.trial.run_folder import RunFolder

#: A server takes so many seconds to start on a busy machine.
_PATIENCE = 120


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finished(make_run):
    def make(**how) -> RunFolder:
        run = make_run(trials=8, **how)
        record = run.read_json("run.json")
        record["settings"] = {"time_seconds": 180.0, "metric": None, "quality": "balanced", "text": "x" * 700}
        record["winner"]["config"] = {"params": {"depths": "late", "regularisation": 0.5}}
        run.write_json("run.json", record)
        run.bundle.mkdir()
        (run.bundle / "bundle.json").write_text("{}")
        (run.path / "report.html").write_text("<p>report</p>")
        return run

    return make


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """A real tracking server on loopback, in an environment of its own: it wants other versions."""
    folder, uri = tmp_path_factory.mktemp("server"), f"http://127.0.0.1:{free_port()}"
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, f"mlflow=={version('mlflow-skinny')}"], check=True)
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", uri.rsplit(":", 1)[1], "--backend-store-uri", f"sqlite:///{folder}/runs.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        end = time.monotonic() + _PATIENCE
        while not answers(uri):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.3)
        yield uri
    finally:
        process.terminate()
        process.wait()


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def check_logged(uri: str, run: RunFolder, identity: str) -> None:
    """What a store must know of a run afterwards."""
    client = MlflowClient(tracking_uri=uri)
    logged = client.get_run(identity)
    results = run.results()
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["test_accuracy"] == 0.917
    assert logged.data.metrics["test_accuracy_from_scratch"] == 0.583
    assert logged.data.metrics["test_accuracy_ten_lines"] == 0.891
    assert logged.data.metrics["first_model_seconds"] == 14.2
    assert logged.data.params["time_seconds"] == "180.0"
    assert "metric" not in logged.data.params, "what was not asked for is no parameter"
    assert len(logged.data.params["text"]) == 500
    assert logged.data.params["winner.depths"] == "late"
    assert "Transfer helped" in logged.data.tags["mlflow.note.content"]
    assert {file.path for file in client.list_artifacts(identity)} >= {"report.html", "run.json", "model"}
    assert [file.path for file in client.list_artifacts(identity, "model")] == ["model/bundle.json"]
    children = client.search_runs(
        [logged.info.experiment_id], f"tags.`mlflow.parentRunId` = '{identity}'", max_results=100
    )
    assert {child.info.run_name for child in children} == {f"trial {result.number}" for result in results}
    states = {child.info.run_name: child.info.status for child in children}
    assert {states[f"trial {r.number}"] for r in results if r.state == "failed"} == {"FAILED"}
    best = max((r for r in results if r.score is not None), key=lambda r: len(r.curve))
    child = next(c for c in children if c.info.run_name == f"trial {best.number}")
    curve = client.get_metric_history(child.info.run_id, "epoch_accuracy")
    assert [point.value for point in sorted(curve, key=lambda p: p.step)] == [e.score for e in best.curve]
    assert child.data.metrics["latency_ms"] == best.facts["latency_ms"]
    assert child.data.params["strategy"] == best.config.strategy


def test_a_run_is_logged_to_a_local_file_store(finished, tmp_path):
    run, uri = finished(), (tmp_path / "mlruns").as_uri()
    mlflow.check(uri)
    check_logged(uri, run, log_run(run, uri))


@pytest.mark.skipif(not os.environ.get("AUTOTL_INSTALLS"), reason="AUTOTL_INSTALLS is not set")
def test_a_run_is_logged_to_a_real_server(finished, server):
    run = finished()
    mlflow.check(server)
    check_logged(server, run, log_run(run, server))


def test_losses_are_logged_in_their_own_direction(finished, tmp_path):
    run, uri = finished(kind=TaskKind.REGRESSION), (tmp_path / "mlruns").as_uri()
    client, identity = MlflowClient(tracking_uri=uri), log_run(run, uri)
    experiment = client.get_run(identity).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{identity}'")
    assert all(child.data.metrics.get("rmse", 1.0) > 0 for child in children)


def test_passwords_in_addresses_are_not_logged(finished, tmp_path):
    run, uri, address = finished(), (tmp_path / "mlruns").as_uri(), "https://me:secret@host/x"
    record = run.read_json("run.json")
    record["settings"]["mlflow"] = address
    run.write_json("run.json", {**record, "command": ["autotl", "fit", "d", "--mlflow", address]})
    client, identity = MlflowClient(tracking_uri=uri), log_run(run, uri)
    assert client.get_run(identity).data.params["mlflow"] == "https://***@host/x"
    uploaded = Path(client.download_artifacts(identity, "run.json", str(tmp_path))).read_text()
    assert "host/x" in uploaded
    assert "secret" not in uploaded


def test_a_server_that_asks_for_a_password_is_found(monkeypatch):
    asked = []
    monkeypatch.setattr(mlflow, "_experiment", lambda client, uri: asked.append(uri))
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # which has no page for anyone
        server.timeout = 10
        thread = Thread(target=server.handle_request)
        thread.start()
        uri = f"http://me:secret@127.0.0.1:{server.server_port}"
        mlflow.check(uri)
        thread.join()
    assert asked == [uri]


def test_the_experiment_is_the_one_of_the_environment(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "textiles")
    uri = (tmp_path / "mlruns").as_uri()
    client, identity = MlflowClient(tracking_uri=uri), log_run(finished(), uri)
    experiment = client.get_experiment(client.get_run(identity).info.experiment_id)
    assert experiment.name == "textiles"


def test_a_server_that_does_not_answer_is_told_before_the_search():
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match=r"no MLflow server answers; found .*refused.*autotl log RUN URI"):
        mlflow.check(uri)


def test_a_server_that_fails_later_is_told_with_the_command_to_go_on(finished):
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match=r"cannot log to MLflow|could not be logged"):
        log_run(finished(), uri)


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(TrackingError, match=r"cannot log to MLflow; found gopher://here"):
        mlflow.check("gopher://here")


def test_a_folder_is_refused_with_the_variable_that_allows_it(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with pytest.raises(TrackingError, match=r"only where MLFLOW_ALLOW_FILE_STORE is set.*sqlite:///"):
        mlflow.check((tmp_path / "mlruns").as_uri())


def test_a_run_that_is_not_over_cannot_be_logged(make_run, tmp_path):
    run = make_run(trials=2)
    record = run.read_json("run.json")
    run.write_json("run.json", {name: value for name, value in record.items() if name != "winner"})
    with pytest.raises(RunError, match=r"run.json is malformed; found no winner"):
        log_run(run, (tmp_path / "mlruns").as_uri())


def test_a_search_asks_for_the_server_before_it_reads_the_data(tmp_path):
    from autotl import AutoTL

    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        AutoTL(mlflow=uri, out=tmp_path / "run").fit(Path("nowhere"))
    assert not (tmp_path / "run").exists()
