"""Versions of packages, as records keep them."""

from __future__ import annotations

import importlib.metadata
import json

from autotl.versions import install_command, versions


def test_the_runtime_is_found_by_whatever_package_brings_it(monkeypatch):
    installed = {"onnxruntime-gpu": "1.24.0", "numpy": "2.4.0"}

    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = versions(("numpy", "onnxruntime", "torch"))
    assert {k: v for k, v in found.items() if k != "python"} == {"numpy": "2.4.0", "onnxruntime": "1.24.0"}


class Installed:
    """A distribution that pip installed from a URL."""

    def __init__(self, **origin):
        self.origin = origin

    def read_text(self, name):
        return json.dumps(self.origin) if name == "direct_url.json" and self.origin else None


def test_an_extra_is_installed_from_where_autotl_came_from(tmp_path, monkeypatch):
    def command(*found):
        monkeypatch.setattr(importlib.metadata, "distributions", lambda name: found)
        return install_command("train")

    clone = Installed(url=tmp_path.as_uri(), dir_info={"editable": True})
    assert command(Installed(), clone) == "pip install 'autotl[train]'", "the folder is gone"
    (tmp_path / "pyproject.toml").write_text("")
    assert command(Installed(), clone) == f"pip install '{tmp_path}[train]'"
    assert command(Installed()) == "pip install 'autotl[train]'"
    wheel = Installed(url=(tmp_path / "autotl.whl").as_uri(), archive_info={})
    assert command(wheel) == "pip install 'autotl[train]'"
