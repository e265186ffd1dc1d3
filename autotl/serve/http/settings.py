"""`Settings`: all that a serving process needs to know, as JSON where it passes to worker processes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autotl.errors import SettingsError
from autotl.serve.http.limits import Limits

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Settings:
    """How a bundle is served.

    Attributes:
        bundle: Its folder.
        name: The model's name in URLs.
        host: Address to bind.
        port: Port to bind; 0 for any free one.
        workers: Processes, each with a session and a queue of its own.
        threads: ONNX Runtime's threads in each of them; None for an equal share of the cores.
        device: Where the model runs, "cpu" or "cuda".
        batch_items: Most inputs that run together.
        delay_ms: How long an input may wait for others that are being decoded.
        limits: How much is accepted, in each process.

    Raises:
        SettingsError: The name cannot stand in a URL, or a number is impossible.
    """

    bundle: str
    name: str
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int | None = None
    device: str = "cpu"
    batch_items: int = 32
    delay_ms: float = 3.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SettingsError(
                "impossible name of a model",
                found=repr(self.name),
                expected="1 to 128 letters, digits, '_', '-' or '.', not beginning with '-' or '.'",
            )
        for name, low in (("port", 0), ("workers", 1), ("batch_items", 1), ("delay_ms", 0)):
            if getattr(self, name) < low:
                raise SettingsError(
                    f"impossible {name}", found=getattr(self, name), expected=f"at least {low}"
                )

    def to_json(self) -> str:
        """One line of JSON; `from_json` inverts it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Rebuild settings that `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "limits": Limits(**values["limits"])})


def default_name(bundle: Path) -> str:
    """A model's name from its folder: that of the run where the folder is the run's `model`."""
    folder = bundle.resolve()
    name = folder.parent.name if folder.name == "model" else folder.name
    fitting = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip(".-")[:128]
    return fitting or "model"
