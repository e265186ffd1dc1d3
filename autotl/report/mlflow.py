"""Logs a finished run to an MLflow tracking server or store: one run, and a child of it for every trial.

Reads what the run folder holds, so that a run can be logged again, or later.
"""

from __future__ import annotations

import json
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autotl.config import TrialResult, TrialState
from autotl.errors import MissingExtraError, TrackingError
from autotl.report.provenance import SECRET, without_secrets
from autotl.report.recorded import number, text
from autotl.task import Metric, Task, metric
from autotl.trial.run_folder import RunFolder
from autotl.versions import install_command

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FILES = ("report.html", "leaderboard.csv", "leaderboard.json", "profile.json", "space.json")
_EXPERIMENT = "autotl"
_FOLDERS = "MLFLOW_ALLOW_FILE_STORE"
#: Longest value of a parameter that every store keeps, and the most values of one request.
_LONGEST, _MOST_AT_ONCE = 500, 90
_PATIENCE_SECONDS = 5.0
#: Figures of `run.json` that become metrics.
_FIGURES = ("seconds", "first_predictor_seconds", "first_model_seconds", "model_seconds", "overhead_seconds")


def check(uri: str) -> None:
    """Make sure, before hours of search, that there is something to log to.

    Args:
        uri: Of a tracking server or store, as MLflow takes it.

    Raises:
        MissingExtraError: MLflow is not installed.
        TrackingError: A server does not answer; the store cannot be used.
    """
    if uri.startswith(("http://", "https://")):
        try:
            address = SECRET.sub("", uri).rstrip("/")  # urllib takes a password for a part of the host
            urllib.request.urlopen(f"{address}/health", timeout=_PATIENCE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # it answers, though it does not let everyone in
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise TrackingError(
                "no MLflow server answers",
                found=f"{uri} ({reason})",
                hint="Start one: mlflow server. Or do without --mlflow, and log later: autotl log RUN URI",
            ) from error
    _experiment(_client(uri), uri)


def log_run(folder: RunFolder, uri: str) -> str:
    """Log a finished run: settings, scores, curves of all trials, report, leaderboard and bundle.

    The experiment is that of `MLFLOW_EXPERIMENT_NAME`, or "autotl".

    Args:
        folder: The run.
        uri: Of a tracking server or store, as MLflow takes it.

    Returns:
        MLflow's id of the run.

    Raises:
        RunError: The folder holds no finished run.
        MissingExtraError: MLflow is not installed.
        TrackingError: The server or store failed.
    """
    record = without_secrets(folder.record("winner", "settings", "task", "metric", "test"))
    client = _client(uri)
    from mlflow.exceptions import MlflowException  # once it is known to be there

    try:
        experiment = _experiment(client, uri)
        run = client.create_run(experiment, run_name=folder.path.resolve().name, tags=_tags(record))
        identity = str(run.info.run_id)
        _log(client, identity, _parameters(record), _metrics(record))
        client.log_dict(identity, record, "run.json")
        for name in _FILES:
            if (folder.path / name).is_file():
                client.log_artifact(identity, str(folder.path / name))
        client.log_artifacts(identity, str(folder.bundle), "model")
        task = Task.from_json(record["task"])
        judge = metric(task.metric, task.kind)
        for result in folder.results():
            _log_trial(client, experiment, identity, result, judge)
        client.set_terminated(identity)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            "the run could not be logged to MLflow",
            found=f"{uri} ({str(error).splitlines()[0]})",
            hint=f"Once that is mended: autotl log {folder.path} {uri}",
        ) from error
    return identity


def _client(uri: str) -> MlflowClient:
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        return MlflowClient(tracking_uri=uri)
    except ImportError as error:  # of MLflow itself, or of what a kind of store needs
        raise MissingExtraError(
            "logging to MLflow needs a package that is not installed",
            found=str(error),
            hint=f"Type: {install_command('mlflow')}; for stores other than a server: pip install mlflow",
        ) from error
    except MlflowException as error:
        raise _unusable(uri, error) from error


def _experiment(client: MlflowClient, uri: str) -> str:
    """The id of the experiment, which is made where it is not there."""
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
    try:
        known = client.get_experiment_by_name(name)
        return str(client.create_experiment(name) if known is None else known.experiment_id)
    except (MlflowException, OSError) as error:
        raise _unusable(uri, error) from error


def _unusable(uri: str, error: Exception) -> TrackingError:
    reason = str(error).strip().splitlines()[0]
    if ("://" not in uri or uri.startswith("file:")) and not os.environ.get(_FOLDERS):
        reason = f"a folder, which MLflow writes only where {_FOLDERS} is set"
    return TrackingError(
        "cannot log to MLflow",
        found=f"{uri} ({reason})",
        expected="a tracking server or a database, such as http://127.0.0.1:5000 or sqlite:///mlflow.db",
    )


def _tags(record: Mapping[str, Any]) -> dict[str, str]:
    """What MLflow shows beside a run: the verdict, and what won."""
    winner, said = record["winner"], record.get("verdict", ())
    return {
        "mlflow.note.content": "\n\n".join([said] if isinstance(said, str) else map(text, said)),
        "autotl.version": text(record.get("versions", {}).get("autotl")),
        "autotl.task": text(record["task"].get("kind")),
        "autotl.data": text(record.get("data", {}).get("fingerprint")),
        "autotl.backbone": text(winner.get("backbone")),
        "autotl.strategy": text(winner.get("strategy")),
    }


def _parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were given a value, and the winner's configuration."""
    asked = {name: value for name, value in record["settings"].items() if value is not None}
    won = {f"winner.{name}": value for name, value in record["winner"]["config"].get("params", {}).items()}
    return {**asked, **won}


def _metrics(record: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of the figures of a run."""
    test, name_of_score = record["test"], record["metric"]
    found = {
        f"validation_{name_of_score}": record["winner"].get("validation_score"),
        **{f"test_{name}": value for name, value in test.get("metrics", {}).items()},
        **{f"test_{name_of_score}_{end}": test.get(end) for end in ("low", "high")},
        **{
            f"test_{name_of_score}_{name}": test.get(name)
            for name in ("trivial", "from_scratch", "ten_lines")
        },
        **{name: record.get(name) for name in _FIGURES},
    }
    for name, value in found.items():
        if (figure := number(value)) is not None:
            yield name, figure, 0


def _log_trial(
    client: MlflowClient, experiment: str, parent: str, result: TrialResult, judge: Metric
) -> None:
    """A trial as a child of the run."""
    tags = {"mlflow.parentRunId": parent, "autotl.state": result.state.value}
    if result.error:
        tags["mlflow.note.content"] = text(result.error)
    run = client.create_run(experiment, run_name=f"trial {result.number}", tags=tags)
    identity = str(run.info.run_id)
    config = {"backbone": result.config.backbone, "strategy": result.config.strategy, **result.config.params}
    _log(client, identity, config, _trial_metrics(result, judge))
    client.set_terminated(identity, "FAILED" if result.state is TrialState.FAILED else "FINISHED")


def _trial_metrics(result: TrialResult, judge: Metric) -> Iterator[tuple[str, float, int]]:
    """Scores in the metric's own direction, losses, and what the trial takes."""
    for epoch in result.curve:
        yield f"epoch_{judge.name}", judge.own(epoch.score), epoch.epoch
        if math.isfinite(epoch.train_loss):
            yield "epoch_train_loss", epoch.train_loss, epoch.epoch
    found = {name: result.facts.get(name) for name in ("size_bytes", "latency_ms", "parameters")}
    found |= {judge.name: None if result.score is None else judge.own(result.score)}
    for name, value in {**found, "seconds": result.seconds}.items():
        if (figure := number(value)) is not None:
            yield name, figure, 0


def _log(
    client: MlflowClient,
    identity: str,
    parameters: Mapping[str, Any],
    metrics: Iterator[tuple[str, float, int]],
) -> None:
    """Parameters and metrics of a run, as many at a time as a server takes."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    entries = [Param(name, _short(value)) for name, value in parameters.items()]
    figures = [Metric(name, value, now, step) for name, value, step in metrics]
    for start in range(0, len(entries), _MOST_AT_ONCE):
        client.log_batch(identity, params=entries[start : start + _MOST_AT_ONCE])
    for start in range(0, len(figures), _MOST_AT_ONCE):
        client.log_batch(identity, metrics=figures[start : start + _MOST_AT_ONCE])


def _short(value: Any) -> str:
    """A parameter as text that every store keeps whole."""
    plain = value if isinstance(value, str) else json.dumps(value, default=str)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
