"""Verbs on an exported bundle: predict, explain, serve, monitor, evaluate, verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from autotl.cli.app import app
from autotl.console import options

_PANEL = "Models"


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl predict runs/photos/model new_photos/ --out labels.csv[/]\n\n"
    "[bold]echo 'where is my card?' | autotl predict runs/mails/model - --json[/]\n\n"
    "Exit codes: 0 all were predicted, 2 some could not be read; the others are predicted all the same.",
)
def predict(
    bundle: options.Bundle,
    inputs: options.Inputs = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to a .csv or .jsonl file, not to standard output."),
    ] = None,
    threads: options.Threads = None,
    device: options.RunOn = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object a row, not CSV.")] = False,
) -> None:
    """Predict INPUTs with an exported BUNDLE; writes CSV, or JSON Lines with all probabilities."""
    from autotl.console import predictions
    from autotl.console.runs import bundle_folder
    from autotl.serve.inputs import read_inputs
    from autotl.serve.predictor import Predictor

    predictor = Predictor(bundle_folder(bundle), threads=threads, device=device)
    arguments = list(inputs or ([] if sys.stdin.isatty() else ["-"]))
    names, items = read_inputs(predictor.bundle, arguments, sys.stdin)
    rows = predictions.predictions(predictor, names, items)
    count, failed = predictions.write(rows, predictor.task, out, as_json=json)
    if out is not None:
        typer.echo(f"{count:,} rows in {out}", err=True)
    for row in failed:
        typer.echo(row["error"], err=True)
    if failed:
        raise typer.Exit(2)


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl explain runs/photos photo.jpg --out why/[/]\n\n"
    "[bold]autotl explain runs/mails 'where is my card?' --class card_arrival[/]",
)
def explain(
    bundle: options.Bundle,
    inputs: options.Inputs = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="Class or label to explain; the predicted one where unset."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write explanations.html, a page, and explanations.json to this folder."
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(
            min=0, max=100, metavar="N", help="Nearest training rows to show, where BUNDLE is a run folder."
        ),
    ] = 3,
    threads: options.Threads = None,
    device: options.RunOn = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object a row.")] = False,
) -> None:
    """Tell why INPUTs are predicted as they are: which words or parts of an image speak for it.

    Pieces of the input are hidden one by one, and the model is asked again, a hundred times an input.
    """
    from autotl.console import explaining

    arguments = list(inputs or ([] if sys.stdin.isatty() else ["-"]))
    shown: dict[str, Any] = {"target": target, "top": top, "out": out, "as_json": json}
    failed = explaining.run(bundle, arguments, sys.stdin, **shown, threads=threads, device=device)
    if failed:
        raise typer.Exit(2)


@app.command(
    rich_help_panel=_PANEL, epilog="Example: [bold]autotl evaluate runs/photos/model held_out/ --json[/]"
)
def evaluate(
    bundle: options.Bundle,
    data: options.Data,
    target: options.Target = None,
    text: options.Text = None,
    image: options.Image = None,
    part: Annotated[
        options.PartName | None,
        typer.Option(help="Which part to score; test where DATA has one, else all rows."),
    ] = None,
    device: options.RunOn = "cpu",
    json: options.Json = False,
) -> None:
    """Score an exported BUNDLE on labelled DATA."""
    from autotl.automl import evaluate as score
    from autotl.console import output
    from autotl.console.runs import bundle_folder

    how: dict[str, Any] = {"part": part, "device": device, **_columns(text, image)}
    found = score(bundle_folder(bundle), data, target=target, **how)
    for note in found["notes"]:
        typer.echo(f"warning: {note}", err=True)
    if json:
        output.show_json(found)
    else:
        output.show(output.score_view(found))


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl serve runs/photos --port 8000[/]\n\n"
    "[bold]curl 127.0.0.1:8000/predict -F files=@photo.jpg[/]",
)
def serve(
    bundle: options.Bundle,
    host: options.Host = "127.0.0.1",
    port: options.Port = 8000,
    name: options.ModelName = None,
    max_batch: options.BatchItems = 32,
    max_delay: options.Delay = 3,
    max_body: options.MaxBody = "32MiB",
    max_items: options.MaxItems = 256,
    max_pixels: options.MaxPixels = 25_000_000,
    max_characters: options.MaxCharacters = 100_000,
    queue_items: options.QueueItems = 1024,
    queue_bytes: options.QueueBytes = "256MiB",
    timeout: options.Timeout = 30,
    workers: options.Workers = 1,
    threads: options.Threads = None,
    device: options.RunOn = "cpu",
) -> None:
    """Answer HTTP requests with an exported BUNDLE: /predict, and the Open Inference Protocol under /v2.

    /docs shows how to ask, /metrics is for Prometheus. The log goes to standard error, a JSON object a line.

    SIGTERM and Ctrl-C end it once accepted requests are answered.
    """
    from autotl.console.runs import bundle_folder
    from autotl.console.serving import serve_bundle
    from autotl.sizes import parse_size

    limits = {
        "body_bytes": parse_size(max_body),
        "items": max_items,
        "pixels": max_pixels,
        "characters": max_characters,
        "queue_items": queue_items,
        "queue_bytes": parse_size(queue_bytes),
        "timeout_seconds": timeout,
    }
    how = {"host": host, "port": port, "workers": workers, "threads": threads, "device": device}
    batches = {"batch_items": max_batch, "delay_ms": max_delay}
    serve_bundle(bundle_folder(bundle), name, limits, **how, **batches)


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl monitor runs/photos/model todays_photos/ --out drift/[/]\n\n"
    "[bold]autotl monitor runs/mails/model mails.csv --json || notify $?[/]\n\n"
    "Exit codes: 0 no drift found, 3 drift, 4 too few rows to tell, 2 it cannot be told.",
)
def monitor(
    bundle: options.Bundle,
    inputs: options.Inputs = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT",
            help="Compare with these inputs, which the model was not fitted on, not with the rows that the "
            "bundle describes; may be given several times.",
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option(metavar="P", help="Chance, at most, of finding drift where there is none.")
    ] = 0.01,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write drift.json and drift.svg, a plot, to this folder."),
    ] = None,
    threads: options.Threads = None,
    device: options.RunOn = "cpu",
    json: options.Json = False,
) -> None:
    """Tell whether new INPUTs, which need no labels, still look like what BUNDLE was measured on.

    Asks whether inputs look the same, more lie far out, classes come as often, and the model is as sure.

    Drift is what is both significant and large.
    """
    from autotl.console import monitoring
    from autotl.console.runs import bundle_folder

    arguments = list(inputs or ([] if sys.stdin.isatty() else ["-"]))
    how: dict[str, Any] = {"alpha": alpha, "threads": threads, "device": device}
    checked = monitoring.check(bundle_folder(bundle), arguments, list(reference or []), sys.stdin, **how)
    monitoring.show(checked, out, as_json=json)
    raise typer.Exit(monitoring.exit_code(checked.report))


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: [bold]autotl verify runs/photos/model photos/[/]\n\n"
    "Exit codes: 0 the answers are the same, 2 they differ, or it cannot be told.",
)
def verify(
    bundle: options.Bundle,
    data: options.Data,
    target: options.Target = None,
    text: options.Text = None,
    image: options.Image = None,
    threads: options.Threads = None,
    device: options.RunOn = "cpu",
    json: options.Json = False,
) -> None:
    """Compare a BUNDLE with what the trained network answered, on the DATA that it was trained on."""
    from autotl.automl import verify as prove
    from autotl.console import output
    from autotl.console.runs import bundle_folder

    how: dict[str, Any] = {"threads": threads, "device": device, **_columns(text, image)}
    found = prove(bundle_folder(bundle), data, target=target, **how)
    if json:
        output.show_json(found)
    else:
        output.show(output.parity_view(found))


def _columns(text: str | None, image: str | None) -> dict[str, Any]:
    """The input columns that were named."""
    columns = {"text": options.names(text), "image": image}
    return {name: value for name, value in columns.items() if value is not None}
