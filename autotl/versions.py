"""Versions of installed packages, as runs, bundles and caches record them; and how to install more."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

#: What a serving process runs a bundle with.
SERVING = ("numpy", "onnxruntime", "Pillow", "tokenizers")
#: What the command line and the HTTP server need beside that.
HTTP = ("typer", "rich", "fastapi", "starlette", "uvicorn", "prometheus-client", "python-multipart")
#: What makes one.
TRAINING = ("torch", "timm", "transformers", "peft", "onnx", "optuna", "ray")
#: Other packages that bring the same module.
_BUILDS = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-silicon")
}


def versions(names: Iterable[str] = ("autotl", *SERVING, *TRAINING)) -> dict[str, str]:
    """Versions of those packages that are installed here, by name, and that of Python."""
    found = {"python": platform.python_version()}
    for name in names:
        known = map(_version, (name, *_BUILDS.get(name, ())))
        if (version := next(filter(None, known), None)) is not None:
            found[name] = version
    return found


def install_command(extra: str) -> str:
    """What to type for an extra of autotl: from the folder that it was installed from, where there is one."""
    return f"pip install '{_folder() or 'autotl'}[{extra}]'"


def _folder() -> str | None:
    """The folder that pip installed autotl from (PEP 610)."""
    for found in importlib.metadata.distributions(name="autotl"):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        folder = Path(url2pathname(urlsplit(origin.get("url", "")).path))
        if "dir_info" in origin and (folder / "pyproject.toml").is_file():
            return str(folder)
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
