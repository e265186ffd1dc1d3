"""`autotl serve`: what it refuses before it listens."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autotl.versions import install_command


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from autotl.cli import main; main()"


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "prometheus_client", "python_multipart"])
def test_a_missing_package_is_answered_with_the_line_to_install_it(make_bundle, package):
    command = [sys.executable, "-c", WITHOUT, package, "serve", make_bundle()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"this needs the package {package.replace('_', '-')}, which is not installed" in done.stderr
    assert done.stderr.endswith(f"Install it: {install_command('serve')}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "a b"), "impossible name of a model; found 'a b'"),
        (("--max-body", "much"), "not a size; found 'much'"),
        (("--max-items", "5000"), "the queue is too small for one request, in items; found 1,024"),
        (("--host", "no.such.address.invalid"), "cannot listen on no.such.address.invalid, port 8000"),
    ],
)
def test_impossible_settings_are_refused(call, make_bundle, options, message):
    result = call("serve", make_bundle(), *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bundle_that_is_missing_is_refused(call, tmp_path, workers):
    result = call("serve", tmp_path / "nowhere", "--port", "0", "--workers", workers)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no such bundle" in result.stderr


def test_a_run_folder_stands_for_its_bundle(call, make_bundle, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("autotl.console.serving.serve_bundle", lambda folder, *_, **__: seen.append(folder))
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    make_bundle().rename(run / "model")
    assert call("serve", run).exit_code == 0
    assert seen == [run / "model"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("photos/model", "photos"), ("best one", "best-one"), ("ä", "model"), ("v1.2", "v1.2")],
)
def test_the_name_of_a_model_comes_from_its_folder(tmp_path, folder, name):
    from autotl.serve.http.settings import default_name

    assert default_name(tmp_path / folder) == name
