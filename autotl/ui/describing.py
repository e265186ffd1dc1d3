"""What a page says of a run, JSON-ready, from whatever its folder holds: a damaged file raises nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autotl.errors import AutotlError
from autotl.modalities.registry import modality
from autotl.report.ranking import leaderboard
from autotl.report.recorded import (
    greater_is_better,
    mapping,
    number,
    plain,
    read_json,
    read_results,
    sequence,
    settings,
    shown,
    text,
    whole,
)
from autotl.search.following import RunState, resume_command
from autotl.serve.bundle import MANIFEST, BundleInfo, read_bundle
from autotl.trial.run_folder import RunFolder
from autotl.ui.runs import has_file

REPORT, TABLE = "report.html", "leaderboard.csv"
#: Rows of the leaderboard that a page shows.
_ROWS = 200


def card(name: str, run: RunFolder, state: RunState, live: Mapping[str, Any] | None) -> dict[str, Any]:
    """A run as a list shows it.

    Args:
        name: Of the run.
        run: Its folder.
        state: How it stands.
        live: Of a run that goes on, where it stands; see `autotl.ui.watching.snapshot`.

    Returns:
        Names, texts and numbers; None is not known. Scores are in the metric's own direction, those of the
        test part where the run is over and the best so far, on validation, where it goes on.
    """
    record = mapping(read_json(run, "run.json", []))
    task, test = mapping(record.get("task")), mapping(record.get("test"))
    winner = mapping(record.get("winner"))
    greater = greater_is_better(task.get("metric"), task.get("kind"))
    is_over = state is not RunState.LIVE
    best = mapping(None if live is None else live["best"])
    named = winner if is_over else best
    return {
        "name": name,
        "state": state.value,
        "data": text(mapping(record.get("data")).get("source")),
        "task": text(task.get("kind")),
        "metric": text(record.get("metric")) or text(task.get("metric")),
        "greater_is_better": greater,
        "score": shown(test.get("score"), greater) if is_over else number(best.get("score")),
        "low": shown(test.get("low"), greater) if is_over else None,
        "high": shown(test.get("high"), greater) if is_over else None,
        "part": "test" if is_over else "validation",
        "winner": " ".join(filter(None, (text(named.get("backbone")), text(named.get("strategy"))))),
        "started": text(record.get("started")),
        "seconds": number(record.get("seconds")) if live is None else number(live["elapsed"]),
    }


def details(run: RunFolder, state: RunState) -> dict[str, Any]:
    """What the page of a run says beside its card and its progress."""
    problems: list[str] = []
    record = mapping(read_json(run, "run.json", problems))
    task, winner, test = (mapping(record.get(key)) for key in ("task", "winner", "test"))
    board, results = read_json(run, "leaderboard.json", problems), read_results(run, problems)
    greater = greater_is_better(task.get("metric"), task.get("kind"))
    rows = leaderboard(board, results, whole(winner.get("trial")), greater)
    verdict, model = record.get("verdict"), _model(run, problems)
    return {
        "folder": plain(run.path),
        "verdict": [text(verdict)]
        if isinstance(verdict, str)
        else [text(said) for said in sequence(verdict)],
        "test_rows": whole(test.get("n")),
        "rows": [{**asdict(row), "settings": settings(row.settings)} for row in rows[:_ROWS]],
        "notes": [text(note) for note in sequence(record.get("notes"))],
        "problems": problems,
        "files": {name: has_file(run, name) for name in (REPORT, TABLE)},
        "model": model,
        "resume": None if state in (RunState.LIVE, RunState.FINISHED) else resume_command(run.path, record),
    }


def bundle_of(run: RunFolder) -> BundleInfo:
    """What the bundle of a run says of itself, unchecked.

    Raises:
        BundleError: There is none.
    """
    return read_bundle(run.bundle, check=False)


def _model(run: RunFolder, problems: list[str]) -> dict[str, Any] | None:
    """What the model of a run takes and gives; None where none can be read."""
    if not has_file(run, f"{run.bundle.name}/{MANIFEST}"):
        return None
    try:
        bundle = bundle_of(run)
        endings = sorted(modality(bundle.spec.modality).extensions)
    except AutotlError as error:
        problems.append(text(error))
        return None
    return {
        "modality": bundle.spec.modality,
        "target": plain(bundle.task.target),
        "classes": len(bundle.task.classes),
        "endings": endings,
        "columns": [plain(name) for name in bundle.columns] if not endings else [],
        "provisional": mapping(bundle.manifest.get("record")).get("provisional") is True,
    }
