"""The benchmark of serving reads what hey says."""

from __future__ import annotations

import json

import pytest

from benchmarks.serve.load import parse_summary, write_body

SUMMARY = """
Summary:
  Total:	2.0000 secs
  Slowest:	0.4000 secs
  Requests/sec:	150.0000

Latency distribution:
  10%% in 0.2601 secs
  50% in 0.3000 secs

Status code distribution:
  [200]	200 responses
  [429]	100 responses

Error distribution:
  [3]	Post "http://127.0.0.1:1/predict": EOF
"""


def test_the_summary_of_hey_is_read():
    assert parse_summary(SUMMARY) == {
        "per_second": 100.0,
        "statuses": {200: 200, 429: 100},
        "errors": 3,
        "latency_ms": {"p10": 260.1, "p50": 300.0},
    }


def test_without_a_summary_there_is_no_figure():
    with pytest.raises(RuntimeError, match="hey says: connection refused"):
        parse_summary("connection refused")


def test_a_text_is_sent_as_json_and_an_image_as_a_form(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    body, kind = write_body(tmp_path / "a.txt", tmp_path)
    assert (json.loads(body.read_text()), kind) == ({"inputs": ["hello"]}, "application/json")
    body, kind = write_body(tmp_path / "a.png", tmp_path)
    assert b"\x89PNG" in body.read_bytes()
    assert kind.startswith("multipart/form-data; boundary=")
