"""Verbs on run folders: leaderboard, watch, ui, compare, export, log."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from autotl.cli.app import app
from autotl.console import options

_PANEL = "Runs"


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl leaderboard runs/photos[/]")
def leaderboard(
    run: options.Run,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show the first N rows.")] = None,
    json: options.Json = False,
) -> None:
    """Rank the trials of RUN; of a run that is still going on, those finished so far."""
    from autotl.console import output
    from autotl.console.runs import read_leaderboard

    board = read_leaderboard(run)
    if json:
        output.show_json({"metric": board.metric, "rows": board.to_rows()[:limit]})
    else:
        output.show_leaderboard(board, limit)


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: [bold]autotl watch runs/photos[/]\n\n"
    "Exit codes: 0 the run finished, 3 it was interrupted or failed, 2 it cannot be followed.",
)
def watch(run: options.Run) -> None:
    """Follow RUN from another terminal, or from another machine that sees its folder, until it ends.

    Begins with what the run has told before, and ends with what came of it.
    """
    from autotl.console.watching import watch as follow

    raise typer.Exit(follow(run))


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl ui runs/[/]")
def ui(
    runs: Annotated[
        Path,
        typer.Argument(metavar="RUNS", help="A folder of run folders, or one run folder."),
    ] = Path("runs"),
    host: options.Host = "127.0.0.1",
    port: options.Port = 8500,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Look at RUNS in the browser: live, compared, and with a box to try each model in.

    Listens on this machine alone unless --host says otherwise. Loads nothing from elsewhere, changes no run.
    """
    from autotl.console.serving import serve_runs

    serve_runs(runs, host, port, browser=browser)


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl compare runs/photos runs/photos-june[/]")
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", show_default=False, help="Run folders, two at least."),
    ],
    json: options.Json = False,
) -> None:
    """Put finished runs beside each other, and tell which is better on the test rows that they share."""
    from autotl.console import output
    from autotl.console.comparison import comparison_view
    from autotl.report.comparison import compare as put_beside

    found = put_beside(runs)
    if json:
        output.show_json(found.to_json())
    else:
        output.show(*comparison_view(found))


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl export runs/photos --trial 7 --out photos-small[/]\n\n"
    "[bold]autotl export runs/photos --pick fastest-within 1%[/]",
)
def export(
    run: options.Run,
    trial: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Number of the trial; the best where unset.")
    ] = None,
    pick: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="RULE SHARE",
            help="In place of a number: fastest-within 1% takes the fastest trial that scores at most 1 % "
            "less than the best one; smallest-within 1% the smallest.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; in the run folder where unset.")
    ] = None,
    reference_rows: Annotated[
        bool | None,
        typer.Option(
            "--reference-rows/--no-reference-rows",
            help="Whether the bundle holds embeddings of test rows, for autotl monitor; as fit was told "
            "where unset.",
        ),
    ] = None,
    compress: options.Compress = "none",
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Add raw.onnx, which takes a colour JPEG, a PNG or a text itself, one at a time. It needs "
            "onnxruntime-extensions where it runs, and is as large as the model.",
        ),
    ] = False,
    form: Annotated[
        options.FormatName,
        typer.Option(
            "--format",
            help="docker: a folder to build an image from, which serves it; triton: a model repository.",
        ),
    ] = "bundle",
    json: options.Json = False,
) -> None:
    """Export a finished trial of RUN as a bundle of its own, or in another form."""
    from autotl.automl import export_as, export_trial
    from autotl.automl.export import chosen_trial
    from autotl.console import output
    from autotl.console.runs import picked
    from autotl.trial.run_folder import RunFolder

    tell = partial(typer.echo, err=True)
    if pick is not None:
        found = picked(run, pick, trial)
        tell(found.reason)
        trial = found.trial
    place = RunFolder(run)
    number = chosen_trial(place, trial) if json else None
    how: dict[str, Any] = {"reference_rows": reference_rows, "compress": compress, "raw": raw, "tell": tell}
    if form == "bundle":
        folder = export_trial(place, trial, out, **how)
        command = f"autotl predict {folder} INPUT..."
    else:
        folder, command = export_as(form, place, trial, out, **how)
    if json:
        output.show_json({form: str(folder), "trial": number})
    else:
        typer.echo(f"The model is in {folder}. Use it: {command}")


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl log runs/photos http://127.0.0.1:5000[/]")
def log(
    run: options.Run,
    uri: Annotated[str, typer.Argument(metavar="URI", show_default=False, help=options.MLFLOW_URI)],
) -> None:
    """Log a finished RUN to MLflow: scores, curves of all trials, report and bundle."""
    from autotl.automl import log_run
    from autotl.trial.run_folder import RunFolder

    typer.echo(f"The run is logged to {uri} as {log_run(RunFolder(run), uri)}.")
