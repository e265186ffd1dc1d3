"""`autotl serve` as a process: torch stays out, a signal ends it in order, several workers act as one."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

pytestmark = pytest.mark.slow
README = Path(__file__).parents[3] / "README.md"
SECRET = "unmistakable words"
FORBIDDEN = ("libtorch", "torch/", "transformers", "pandas", "sklearn", "pyarrow")


class Server:
    """A running `autotl serve`."""

    def __init__(self, bundle: Path, *options: object, code: str | None = None) -> None:
        command = [sys.executable, *(["-c", code] if code else ["-m", "autotl.cli"])]
        command += ["serve", str(bundle), "--port", "0", "--threads", "1", *map(str, options)]
        self.process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        self.first_line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+);", self.first_line)
        assert found, (self.first_line, self.end(), self.log)
        self.url, self.port = f"http://127.0.0.1:{found[1]}", int(found[1])
        self.until_ready()

    def _read_log(self) -> None:
        self.log.extend(self.process.stderr)

    def until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                assert httpx2.get(f"{self.url}/v2/health/ready", timeout=60).status_code == 200
                return
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                assert self.process.poll() is None
                time.sleep(0.1)

    def predict(self, inputs: list[str]) -> httpx2.Response:
        return httpx2.post(f"{self.url}/predict", json={"inputs": inputs}, timeout=60)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(60)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def start():
    servers = []

    def begin(*arguments, **options) -> Server:
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.end()


def modules_of(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_a_server_answers_without_torch_and_ends_with_0(start, text_bundles):
    server = start(text_bundles())
    assert server.predict([SECRET]).status_code == 200
    maps = modules_of(server.process.pid)
    assert "onnxruntime" in maps
    assert [name for name in FORBIDDEN if name in maps] == []
    assert server.end() == 0
    lines = [json.loads(line) for line in server.log]
    assert [line["status"] for line in lines if line.get("route") == "/predict"] == [200]
    assert SECRET not in "".join(server.log)


#: The command line with a model that takes four seconds.
SLOW = """
import sys, time
from autotl.serve.predictor import Predictor
run = Predictor.run_batch
def slow(self, examples):
    time.sleep(4)
    return run(self, examples)
Predictor.run_batch = slow
from autotl.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_accepted_requests_finish_and_refuses_new_ones(start, text_bundles, number):
    server = start(text_bundles(), code=SLOW)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.predict, ["a good film"])
        until(lambda: httpx2.get(f"{server.url}/health", timeout=60).json()["queue_items"] == 1)
        server.process.send_signal(number)
        until(lambda: refuses(server.port))
        assert not waiting.done()
        assert waiting.result().status_code == 200
    assert server.end() == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_readme_are_answered(start, image_bundle, images, tmp_path):
    (block,) = re.findall(r"^```bash\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    for name, image in zip(("photo.jpg", "another.jpg"), images[:2], strict=True):
        shutil.copy(image, tmp_path / name)
    content = base64.b64encode(images[0].read_bytes()).decode()
    (tmp_path / "request.json").write_text(json.dumps({"inputs": [content]}))
    server = start(image_bundle, "--name", "demo-image")
    commands = [shlex.split(line.replace(":8000", f":{server.port}")) for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        subprocess.run([*command, "--fail", "--silent"], check=True, cwd=tmp_path, capture_output=True)


def test_workers_share_the_port_and_their_metrics(start, text_bundles):
    server = start(text_bundles(), "--workers", "2")
    for _ in range(40):
        assert server.predict(["a"]).status_code == 200
    pids = {json.loads(line)["pid"] for line in server.log if '"/predict"' in line}
    for _ in range(3):
        text = httpx2.get(f"{server.url}/metrics", timeout=60).text
        assert 'autotl_requests_total{route="/predict",status="200"} 40.0' in text
        assert "autotl_items_total 40.0" in text
    assert server.end() == 0
    assert server.process.pid not in pids
    assert 1 <= len(pids) <= 2
    assert not any(_lives(pid) for pid in pids)


def test_a_port_in_use_is_told(start, text_bundles):
    server = start(text_bundles())
    command = [sys.executable, "-m", "autotl.cli", "serve", text_bundles(), "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {server.port}" in done.stderr
    assert "--port" in done.stderr


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
