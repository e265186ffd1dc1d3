"""What the user can put right ends with exit code 2, a message on standard error, and no traceback."""

from __future__ import annotations

import errno
import json

import pytest
import typer
from typer.testing import CliRunner

from autotl.console.failures import Verbs, missing_extra
from autotl.errors import DataError
from autotl.versions import install_command


def plain(text: str) -> str:
    """Output without frames and line breaks."""
    return " ".join(text.translate({ord(c): " " for c in "│╭╮╰╯─"}).split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit"], "Missing argument 'DATA'"),
        (["fit", "x", "--task", "guess"], "'guess' is not one of 'auto', 'multiclass', 'binary'"),
        (["fit", "x", "--quality", "ultra"], "'ultra' is not one of 'fast', 'balanced', 'best'"),
        (["fit", "x", "--engine", "cluster"], "'cluster' is not one of 'local', 'ray'"),
        (["fit", "x", "--trials", "0"], "Invalid value for '--trials'"),
        (["fit", "x", "--test-share", "1.5"], "Invalid value for '--test-share'"),
        (["fit", "x", "--time", "soon"], "not a duration; found 'soon'; expected a positive one"),
        (["fit", "x", "--time", "0s"], "not a duration; found '0s'; expected a positive one"),
        (["fit", "x", "--turbo"], "No such option: --turbo"),
        (["fit", "/no/such/data"], "/no/such/data"),
        (["profile", "/no/such/data"], "/no/such/data"),
        (["space", "/no/such/data"], "/no/such/data"),
        (["backbones", "--modality", "smell"], "unknown modality; found 'smell'"),
        (["leaderboard", "/no/such/run"], "not a run folder; found no run.json in /no/such/run."),
        (["export", "/no/such/run"], "/no/such/run"),
        (["predict", "/no/such/bundle", "a.jpg"], "no such bundle; found nothing at /no/such/bundle."),
        (["evaluate", "/no/such/bundle", "/x"], "no such bundle; found nothing at /no/such/bundle."),
        (["demo", "smell"], "'smell' is not one of 'image', 'text'"),
        (["improve"], "No such command 'improve'"),
    ],
)
def test_bad_input_is_named(call, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in plain(result.stderr)
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_missing_input_of_predict_is_named(call, make_bundle):
    result = call("predict", make_bundle(), "/no/such/photo.jpg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no such file or folder: /no/such/photo.jpg" in result.stderr


def test_predict_without_any_input_says_what_it_takes(call, make_bundle):
    result = call("predict", make_bundle(), stdin="")
    assert result.exit_code == 2
    assert "standard input is empty" in result.stderr


def test_a_changed_bundle_is_refused(call, make_bundle, images):
    bundle = make_bundle()
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"more")
    result = call("predict", bundle, images)
    assert result.exit_code == 2
    assert "was changed after the export" in result.stderr


def test_a_malformed_run_is_refused(call, tmp_path):
    (tmp_path / "run.json").write_text("{")
    result = call("leaderboard", tmp_path)
    assert result.exit_code == 2
    assert "run.json is malformed" in result.stderr


def test_a_run_without_finished_trials_is_named(call, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"task": {}}))
    result = call("leaderboard", tmp_path)
    assert result.exit_code == 2
    assert "no trial of this run is finished yet" in result.stderr


def failing(error: BaseException) -> typer.Typer:
    """A program whose only verb fails."""
    app = typer.Typer(cls=Verbs, pretty_exceptions_enable=False)

    @app.callback()
    def common(debug: bool = False) -> None:
        pass

    @app.command()
    def verb() -> None:
        raise error

    return app


def test_an_error_is_shown_with_its_hint_on_a_line_of_its_own():
    error = DataError("no rows", found="0", expected="at least 2", hint="Add some: cat more.csv")
    result = CliRunner().invoke(failing(error), ["verb"])
    assert result.exit_code == 2
    assert result.stderr == "Error: no rows; found 0; expected at least 2.\nAdd some: cat more.csv\n"


def test_a_disk_that_fills_up_is_no_defect_of_the_program():
    error = OSError(errno.ENOSPC, "No space left on device", "runs/x/run.json")
    result = CliRunner().invoke(failing(error), ["verb"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the disk takes no more; found No space left on device, writing runs/x/run.json.\n"
        "Free some space, or choose another disk with --out; a run goes on with --resume.\n"
    )


def test_a_forbidden_file_is_named():
    error = PermissionError(errno.EACCES, "Permission denied", "secret.csv")
    result = CliRunner().invoke(failing(error), ["verb"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no permission to read or write; found secret.csv.\n"
        "Change its permissions, or choose another place.\n"
    )


def test_another_error_of_the_system_keeps_its_traceback():
    error = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert CliRunner().invoke(failing(error), ["verb"]).exception is error


def test_debug_lets_the_error_through_with_its_traceback():
    error = DataError("no rows")
    assert CliRunner().invoke(failing(error), ["--debug", "verb"]).exception is error


def test_an_error_of_the_program_is_not_hidden():
    error = ZeroDivisionError()
    assert CliRunner().invoke(failing(error), ["verb"]).exception is error


def test_ctrl_c_ends_with_130():
    result = CliRunner().invoke(failing(KeyboardInterrupt()), ["verb"])
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize(
    ("module", "package", "command"),
    [
        ("sklearn.svm", "scikit-learn", "pip install scikit-learn"),
        ("torch", "torch", install_command("train")),
    ],
)
def test_a_missing_package_of_an_extra_is_answered_with_the_install_line(module, package, command):
    result = CliRunner().invoke(failing(ModuleNotFoundError("No module", name=module)), ["verb"])
    assert result.exit_code == 2
    assert f"needs the package {package}, which" in result.stderr
    assert result.stderr.endswith(f"Install it: {command}\n")


def test_a_missing_module_of_no_extra_is_an_error_of_the_program():
    assert missing_extra(ModuleNotFoundError("No module", name="autotl.nothing")) is None
