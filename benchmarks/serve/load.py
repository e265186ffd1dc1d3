"""Load on a server by hey, on a core of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.serve.server import LOAD_CORE, pinned

_BOUNDARY = "benchmark-7f3a"


def write_body(source: Path, folder: Path) -> tuple[Path, str]:
    """A request of one input: a form for an image, JSON for a text.

    Returns:
        The file of the body, and its content type.
    """
    body = folder / "body"
    if source.suffix.lower() == ".txt":
        body.write_text(json.dumps({"inputs": [source.read_text(encoding="utf-8").strip()]}))
        return body, "application/json"
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{source.name}"\r\n\r\n'
    ).encode()
    body.write_bytes(head + source.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode())
    return body, f"multipart/form-data; boundary={_BOUNDARY}"


class Load:
    """Requests of one body from a number of connections that are kept open.

    Args:
        url: Of the server.
        body: File of the body.
        kind: Its content type.
        connections: How many ask at once, each waiting for its answer before it asks again.
    """

    def __init__(self, url: str, body: Path, kind: str, connections: int) -> None:
        self._words = ["-cpus", 1, "-c", connections, "-t", 60, "-m", "POST", "-T", kind, "-D", body]
        self._url, self._connections = f"{url}/predict", connections

    def run(self, seconds: float, per_second: float | None = None) -> dict[str, Any]:
        """Ask for a time.

        Args:
            seconds: How long.
            per_second: Requests that are begun each second; as many as are answered where None.

        Returns:
            `per_second` (answers with 200), `statuses`, `errors` (no answer), and latencies by percentile.
        """
        rate = [] if per_second is None else ["-q", f"{per_second / self._connections:.3f}"]
        command = pinned(LOAD_CORE, "hey", *self._words, "-z", f"{seconds:g}s", *rate, self._url)
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return parse_summary(text)


def parse_summary(text: str) -> dict[str, Any]:
    """The figures in hey's summary."""
    total = re.search(r"Total:\s+([\d.]+) secs", text)
    if total is None:
        raise RuntimeError(f"hey says: {text[:2000]}")
    statuses = {int(code): int(count) for code, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", text)}
    errors = text.partition("Error distribution:")[2]
    latencies = re.findall(r"(\d+)%+ in ([\d.]+) secs", text)
    return {
        "per_second": statuses.get(200, 0) / float(total[1]),
        "statuses": statuses,
        "errors": sum(int(count) for count in re.findall(r"\[(\d+)\]\s", errors)),
        "latency_ms": {f"p{share}": round(1000 * float(seconds), 1) for share, seconds in latencies},
    }
