"""A build context for Docker: the bundle, the serving part of autotl, and what both need, pinned.

autotl itself is copied, so that the image is built from this folder and a package index alone.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import autotl
from autotl.serve.bundle import BundleInfo
from autotl.versions import HTTP, SERVING, versions

_DOCKERFILE = """\
FROM python:{python}-slim
WORKDIR /srv
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app .
COPY model model
ENV PYTHONPATH=/srv PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "autotl.cli", "serve", "/srv/model", "--name", "{name}", "--host", "0.0.0.0"]
"""
#: What a serving process never imports.
_LEFT_OUT = ("__pycache__", "*.pyc", "templates", "testing")


def write(bundle: BundleInfo, folder: Path, name: str) -> str:
    """Write the build context of a bundle.

    Args:
        bundle: The bundle.
        folder: An empty folder.
        name: Name of the image.

    Returns:
        The command that builds and runs it.
    """
    bundle.copy(folder / "model")
    source, app = Path(autotl.__file__).parent, folder / "app"
    shutil.copytree(source, app / "autotl", ignore=shutil.ignore_patterns(*_LEFT_OUT))
    described = app / f"autotl-{autotl.__version__}.dist-info"  # tells the copy its version
    described.mkdir()
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: autotl\nVersion: {autotl.__version__}\n"
    )
    installed = versions((*SERVING, *HTTP))
    python = ".".join(installed.pop("python").split(".")[:2])
    (folder / "requirements.txt").write_text("".join(f"{name}=={v}\n" for name, v in installed.items()))
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(python=python, name=name))
    return f"docker build -t {name} {folder} && docker run -p 8000:8000 {name}"
