"""The OpenAPI document is exact: what schemathesis makes of it is answered as it says; its examples work."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uvicorn

from autotl.serve.http.app import create_app
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings

HERE = Path(__file__).parent


@pytest.fixture(params=["image", "text", "pair"])
def bundle(request, image_bundle, text_bundles):
    """A bundle of each kind."""
    if request.param == "image":
        return image_bundle
    return text_bundles() if request.param == "text" else text_bundles(columns=("a", "b"))


def filled(path: str, operation: dict) -> str:
    """A path with the example of each of its parameters."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    return path


def test_every_example_of_the_document_is_answered(serve, bundle):
    client, sent = serve(bundle), 0
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for verb, operation in operations.items():
            for kind, body in operation.get("requestBody", {}).get("content", {"": {}}).items():
                if kind == "multipart/form-data":
                    continue
                example = body.get("example", "")
                content = example if isinstance(example, str) else json.dumps(example)
                headers = {"Content-Type": kind} if kind else {}
                answer = client.request(verb, filled(path, operation), content=content, headers=headers)
                assert answer.status_code == 200, (path, kind, answer.text)
                sent += 1
    assert sent >= 12


def test_the_page_loads_nothing_and_shows_commands(serve, bundle, image_bundle):
    answer = serve(bundle).get("/docs")
    assert "script" not in answer.text
    assert "src=" not in answer.text
    assert "http://testserver/predict" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ("text/csv" in answer.text) == (bundle != image_bundle)


@pytest.fixture
def url(bundle):
    """Where a server of the bundle listens."""
    app = create_app(Service(Settings(str(bundle), "model", threads=1)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_schemathesis_finds_nothing(url, bundle, text_bundles, tmp_path):
    program = Path(sys.executable).with_name("schemathesis")
    # Examples are sent above: schemathesis cannot send those that are strings as CSV.
    options = ["--max-examples", "5", "--phases", "coverage,fuzzing", "--seed", "1", "--no-color"]
    options += ["--exclude-path-regex", "/versions/"]  # the same functions once more
    command = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.json", *options]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
    if bundle != text_bundles():  # what takes no body is the same for all
        command += ["--include-method", "POST"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, "\n".join(line[:300] for line in done.stdout.splitlines()[-80:])
    assert ("Tested: 9" if bundle == text_bundles() else "Tested: 2") in done.stdout
