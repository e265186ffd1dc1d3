"""Versions of packages, as records keep them."""

from __future__ import annotations

import importlib.metadata

from autotl.versions import versions


def test_the_runtime_is_found_by_whatever_package_brings_it(monkeypatch):
    installed = {"onnxruntime-gpu": "1.24.0", "numpy": "2.4.0"}

    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = versions(("numpy", "onnxruntime", "torch"))
    assert {k: v for k, v in found.items() if k != "python"} == {"numpy": "2.4.0", "onnxruntime": "1.24.0"}
