"""What the log and the metrics say of requests, and what they never say."""

from __future__ import annotations

import json
import logging
import re

import pytest

from autotl.errors import ParityError
from autotl.serve.http.logs import JsonLines

SECRET = "a most secret sentence"


@pytest.fixture
def lines(caplog):
    """The JSON lines logged so far."""
    caplog.set_level(logging.INFO)
    formatter = JsonLines()

    def ours() -> list[dict]:
        """The client logs too, in this process."""
        records = [record for record in caplog.records if record.name.startswith(("autotl", "uvicorn"))]
        return [json.loads(formatter.format(record)) for record in records]

    return ours


def test_a_request_is_a_line_with_these_fields(serve, text_bundles, lines):
    body = json.dumps({"inputs": ["a", "b"]})
    serve(text_bundles()).post("/predict", content=body, headers={"Content-Type": "application/json"})
    (line,) = (each for each in lines() if each.get("event") == "request")
    assert set(line) == {"time", "level", "pid", "event", "method", "route", "status", "ms", "items", "bytes"}
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert (line["items"], line["bytes"]) == (2, len(body))
    assert line["ms"] > 0


def test_the_log_holds_no_payload_no_file_name_and_no_label(serve, text_bundles, lines, caplog):
    client = serve(text_bundles())
    answers = [
        client.post("/predict", json={"inputs": [SECRET]}),
        client.post("/predict", files={"files": (f"{SECRET}.txt", SECRET.encode())}),
        client.post("/predict", json={SECRET: SECRET}),
        client.post(f"/predict?probabilities={SECRET}", json={"inputs": [SECRET]}),
        client.post(f"/{SECRET}", content=SECRET),
        client.get(f"/v2/models/{SECRET}"),
    ]
    client.service.predictor.run_batch = None  # a defect: calling it fails
    client.service.batcher._run = lambda examples: int(SECRET)
    answers.append(client.post("/predict", json={"inputs": [SECRET]}))
    assert [answer.status_code for answer in answers] == [200, 200, 400, 400, 404, 404, 500]
    written = [value for line in lines() for value in _texts(line)]
    assert "a request failed" in written
    assert [text for text in written if any(word in text for word in ("secret", "grün"))] == []


def _texts(line: dict) -> list[str]:
    """What a line says in words; not the places in the code, which name this test."""
    return [str(value) for name, value in line.items() if name != "at"]


def test_an_error_of_ours_that_is_a_500_has_its_place_in_the_log(serve, text_bundles, lines):
    client = serve(text_bundles())

    def fails(_):
        raise ParityError("secret")

    client.service.batcher._run = fails
    assert client.post("/predict", json={"inputs": ["a"]}).status_code == 500
    (line,) = (each for each in lines() if each.get("message") == "a request failed")
    assert line["exception"] == "ParityError"


def test_a_defect_is_a_500_without_details_and_a_place_in_the_log(serve, text_bundles, lines):
    client = serve(text_bundles())
    client.service.batcher._run = lambda examples: 1 // 0
    answer = client.post("/predict", json={"inputs": ["a"]})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error", "hint": "The server's log has the cause."}
    (line,) = (each for each in lines() if each.get("message") == "a request failed")
    assert line["exception"] == "ZeroDivisionError"
    assert any("batching.py" in place for place in line["at"])
    assert client.service.gate.items == 0


def test_metrics_count_requests_items_batches_and_refusals(serve, text_bundles):
    client = serve(text_bundles(), {"items": 3}, batch_items=2)
    client.post("/predict", json={"inputs": ["a", "b", "c"]})
    client.post("/predict", json={"inputs": ["a"] * 4})
    client.get("/v2/models/other")
    answer = client.get("/metrics")
    found = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    expected = {
        'autotl_requests_total{route="/predict",status="200"}': "1.0",
        'autotl_requests_total{route="/predict",status="413"}': "1.0",
        'autotl_requests_total{route="/v2/models/{model}",status="404"}': "1.0",
        'autotl_request_seconds_count{route="/predict"}': "2.0",
        'autotl_rejected_total{status="413"}': "1.0",
        "autotl_items_total": "3.0",
        "autotl_batch_items_count": "2.0",
        "autotl_batch_items_sum": "3.0",
        'autotl_batch_items_bucket{le="2.0"}': "2.0",
        "autotl_run_seconds_count": "2.0",
        "autotl_queue_items": "0.0",
        "autotl_queue_bytes": "0.0",
    }
    assert {name: found.get(name) for name in expected} == expected


def test_unknown_paths_do_not_make_metrics_grow(serve, text_bundles):
    client = serve(text_bundles())
    for number in range(20):
        client.get(f"/{number}")
    routes = set(re.findall(r'route="([^"]*)"', client.get("/metrics").text))
    assert routes == {"unknown"}


def test_observers_see_every_batch_and_cannot_fail_a_request(serve, text_bundles):
    client, seen = serve(text_bundles()), []

    def watch(examples, outputs):
        seen.append((len(examples), [output.shape for output in outputs]))
        raise ValueError("a defect of the watcher")

    client.service.observers.append(watch)
    assert client.post("/predict", json={"inputs": ["a", "b"]}).status_code == 200
    assert seen == [(2, [(2, 3), (2, 32)])]


def test_health(serve, text_bundles):
    found = serve(text_bundles()).get("/health").json()
    assert (found["status"], found["model"], found["queue_items"]) == ("ok", "model", 0)


def test_a_server_that_runs_nothing_any_more_is_not_ready(serve, text_bundles):
    client = serve(text_bundles())
    client.portal.call(client.service.batcher.stop)
    assert client.get("/health").status_code == 503
    assert client.get("/v2/health/ready").json() == {"ready": False}
    assert client.get("/v2/models/model/ready").status_code == 503
    assert client.post("/predict", json={"inputs": ["a"]}).status_code == 500
