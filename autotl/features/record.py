"""What was measured on this machine and need not be measured again: speeds, winners, sizes, by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autotl.atomic import replacing


class MachineRecord:
    """What was measured on this machine, kept as JSON.

    Args:
        path: The file; made when first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Any:
        """What is recorded for `key`, None for nothing."""
        return self._read().get(key)

    def put(self, key: str, value: Any) -> None:
        """Record a JSON-ready value for `key`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as path:
            path.write_text(json.dumps({**self._read(), key: value}, indent=1, sort_keys=True))

    def _read(self) -> dict[str, Any]:
        try:
            value = json.loads(self._path.read_text())
        except (OSError, json.JSONDecodeError):
            return {}
        return value if isinstance(value, dict) else {}
