"""The command line: one Typer app, one short function a verb.

Nothing that takes long to import is imported before a verb runs. How things look is `autotl.console`'s.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from autotl.console import options
from autotl.console.failures import Verbs

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from autotl import __version__

        typer.echo(f"autotl {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: [bold]autotl fit photos/ --time 10m[/]")
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The best deployable model that transfer learning makes of your data, within a budget of time."""


@app.command(
    epilog="Examples: [bold]autotl fit photos/ --time 10m --out runs/photos[/]\n\n"
    "[bold]autotl fit mails.csv --target topic --text subject,body --metric macro_f1[/]\n\n"
    "[bold]autotl fit new_photos/ --from runs/photos --out runs/photos-june[/]"
)
def fit(
    data: options.Data,
    target: options.Target = None,
    task: options.Task = "auto",
    metric: options.Metric = None,
    time: options.Time = None,
    trials: options.Trials = None,
    space: options.Space = None,
    backbones: options.Backbones = None,
    license: options.License = "any",
    max_latency_ms: options.MaxLatency = None,
    max_size_mb: options.MaxModelSize = None,
    max_memory_mb: options.MaxMemory = None,
    latency_batch: options.LatencyBatch = 1,
    latency_threads: options.LatencyThreads = None,
    group: options.Group = None,
    text: options.Text = None,
    image: options.Image = None,
    test_share: options.TestShare = 0.2,
    val_share: options.ValShare = 0.2,
    val: options.Val = None,
    test: options.Test = None,
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    trial_cpus: options.TrialCpus = 1,
    trial_gpus: options.TrialGpus = None,
    scheduler: options.Scheduler = "gain",
    device: options.Device = "auto",
    threads: options.Threads = None,
    offline: options.Offline = False,
    cache_dir: options.CacheDir = None,
    cache_limit: options.CacheLimit = None,
    experience: options.Experience = True,
    reference_rows: options.ReferenceRows = True,
    compress: options.Compress = "none",
    distill_to: options.DistillTo = None,
    from_run: options.FromRun = None,
    mlflow: options.Mlflow = None,
    out: options.Out = None,
    resume: options.Resume = False,
    seed: options.Seed = 0,
    quality: options.Quality = "balanced",
    json: options.Json = False,
) -> None:
    """Search for the best model of DATA and export it.

    Leaves a run folder with leaderboard, report.html and the deployable model in model/.

    Ctrl-C ends the search early and still exports the best model so far.
    """
    from autotl.console.fitting import fit_and_show

    fit_and_show(
        data,
        time_budget=options.budget(time, trials),
        as_json=json,
        **{**_data_parameters(locals()), **_search_parameters(locals())},
        trials=trials,
        engine=engine,
        ray_address=ray_address,
        trial_cpus=trial_cpus,
        trial_gpus=trial_gpus,
        scheduler=scheduler,
        cache_limit=cache_limit,
        experience=experience,
        reference_rows=reference_rows,
        compress=compress,
        distill_to=distill_to,
        from_run=from_run,
        mlflow=mlflow,
        threads=threads,
        out=out,
        resume=resume,
    )


@app.command(epilog="Example: [bold]autotl profile photos/[/]")
def profile(
    data: options.Data,
    target: options.Target = None,
    task: options.Task = "auto",
    metric: options.Metric = None,
    group: options.Group = None,
    text: options.Text = None,
    image: options.Image = None,
    test_share: options.TestShare = 0.2,
    val_share: options.ValShare = 0.2,
    val: options.Val = None,
    test: options.Test = None,
    offline: options.Offline = False,
    cache_dir: options.CacheDir = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Describe DATA: task, sizes, balance, and how far it lies from what backbones were trained on."""
    from autotl.automl import profile_data
    from autotl.console import output

    found = profile_data(data, **_data_parameters(locals()))
    if json:
        output.show_json(found.to_json())
    else:
        output.show(output.profile_view(found))


@app.command(epilog="Example: [bold]autotl space photos/ --time 3m --license permissive[/]")
def space(
    data: options.Data,
    target: options.Target = None,
    task: options.Task = "auto",
    metric: options.Metric = None,
    time: options.Time = None,
    space: options.Space = None,
    backbones: options.Backbones = None,
    license: options.License = "any",
    max_latency_ms: options.MaxLatency = None,
    max_size_mb: options.MaxModelSize = None,
    max_memory_mb: options.MaxMemory = None,
    latency_batch: options.LatencyBatch = 1,
    latency_threads: options.LatencyThreads = None,
    group: options.Group = None,
    text: options.Text = None,
    image: options.Image = None,
    test_share: options.TestShare = 0.2,
    val_share: options.ValShare = 0.2,
    val: options.Val = None,
    test: options.Test = None,
    device: options.Device = "auto",
    offline: options.Offline = False,
    cache_dir: options.CacheDir = None,
    seed: options.Seed = 0,
    quality: options.Quality = "balanced",
    json: options.Json = False,
) -> None:
    """Show the search space that a fit of DATA would search, and why each backbone is in or out."""
    from autotl.automl import space_for
    from autotl.console import output

    parameters = {**_data_parameters(locals()), **_search_parameters(locals())}
    found, choices = space_for(data, time_budget=options.budget(time, None), **parameters)
    if json:
        output.show_json({"space": found.to_json(), "backbones": [c.to_json() for c in choices]})
    else:
        output.show(*output.space_view(found, choices))


@app.command(epilog="Example: [bold]autotl backbones --modality text --offline[/]")
def backbones(
    modality: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this modality only: image, text.")
    ] = None,
    offline: options.Offline = False,
    json: options.Json = False,
) -> None:
    """List the pretrained networks: source, licence, size, pretraining data, available here or why not."""
    from autotl.console import output
    from autotl.console.catalogue import rows

    found = rows(modality, offline=offline)
    if json:
        output.show_json([output.backbone_json(info, here) for info, here in found])
    else:
        output.show(output.backbones_view(found))


@app.command(epilog="Example: [bold]autotl leaderboard runs/photos[/]")
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
        output.show(board.render(limit=limit))


@app.command(
    epilog="Examples: [bold]autotl predict runs/photos/model new_photos/ --out labels.csv[/]\n\n"
    "[bold]echo 'where is my card?' | autotl predict runs/mails/model - --json[/]"
)
def predict(
    bundle: options.Bundle,
    inputs: options.Inputs = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to a .csv or .jsonl file, not to standard output."),
    ] = None,
    threads: options.Threads = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object a row, not CSV.")] = False,
) -> None:
    """Predict INPUTs with an exported BUNDLE; writes CSV, or JSON Lines with all probabilities."""
    from autotl.console import predictions
    from autotl.console.runs import bundle_folder
    from autotl.serve.inputs import read_inputs
    from autotl.serve.predictor import Predictor

    predictor = Predictor(bundle_folder(bundle), threads=threads)
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
    epilog="Examples: [bold]autotl serve runs/photos --port 8000[/]\n\n"
    "[bold]curl 127.0.0.1:8000/predict -F files=@photo.jpg[/]"
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
    how = {"host": host, "port": port, "workers": workers, "threads": threads}
    batches = {"batch_items": max_batch, "delay_ms": max_delay}
    serve_bundle(bundle_folder(bundle), name, limits, **how, **batches)


@app.command(
    epilog="Examples: [bold]autotl monitor runs/photos/model todays_photos/ --out drift/[/]\n\n"
    "[bold]autotl monitor runs/mails/model mails.csv --json || notify $?[/]\n\n"
    "Exit codes: 0 no drift found, 3 drift, 4 too few rows to tell, 2 it cannot be told."
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
    json: options.Json = False,
) -> None:
    """Tell whether new INPUTs, which need no labels, still look like what BUNDLE was measured on.

    Asks whether inputs look the same, more lie far out, classes come as often, and the model is as sure.

    Drift is what is both significant and large.
    """
    from autotl.console import monitoring
    from autotl.console.runs import bundle_folder

    arguments = list(inputs or ([] if sys.stdin.isatty() else ["-"]))
    checked = monitoring.check(
        bundle_folder(bundle), arguments, list(reference or []), sys.stdin, alpha=alpha, threads=threads
    )
    monitoring.show(checked, out, as_json=json)
    raise typer.Exit(monitoring.exit_code(checked.report))


@app.command(epilog="Example: [bold]autotl evaluate runs/photos/model held_out/ --json[/]")
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
    json: options.Json = False,
) -> None:
    """Score an exported BUNDLE on labelled DATA."""
    from autotl.automl import evaluate as score
    from autotl.console import output
    from autotl.console.runs import bundle_folder

    found = score(bundle_folder(bundle), data, target=target, part=part, **_columns(text, image))
    for note in found["notes"]:
        typer.echo(f"warning: {note}", err=True)
    if json:
        output.show_json(found)
    else:
        output.show(output.facts({found["metric"]: found["score"], "rows": found["n"], **found["metrics"]}))


@app.command(epilog="Example: [bold]autotl verify runs/photos/model photos/[/]")
def verify(
    bundle: options.Bundle,
    data: options.Data,
    target: options.Target = None,
    text: options.Text = None,
    image: options.Image = None,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Compare a BUNDLE with what the trained network answered, on the DATA that it was trained on."""
    from autotl.automl import verify as prove
    from autotl.console import output
    from autotl.console.runs import bundle_folder

    found = prove(bundle_folder(bundle), data, target=target, threads=threads, **_columns(text, image))
    if json:
        output.show_json(found)
    else:
        output.show(output.parity_view(found))


@app.command(
    epilog="Examples: [bold]autotl export runs/photos --trial 7 --out photos-small[/]\n\n"
    "[bold]autotl export runs/photos --pick fastest-within 1%[/]"
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
    from autotl.console import output
    from autotl.console.runs import picked
    from autotl.trial.run_folder import RunFolder

    if pick is not None:
        trial = picked(run, pick, trial)
    place = RunFolder(run)
    if form == "bundle":
        folder = export_trial(place, trial, out, reference_rows=reference_rows, compress=compress)
        command = f"autotl predict {folder} INPUT..."
    else:
        how = {"reference_rows": reference_rows, "compress": compress}
        folder, command = export_as(form, place, trial, out, **how)
    if json:
        number = place.record("winner")["winner"]["trial"] if trial is None else trial
        output.show_json({form: str(folder), "trial": number})
    else:
        typer.echo(f"The model is in {folder}. Use it: {command}")


@app.command(epilog="Example: [bold]autotl log runs/photos http://127.0.0.1:5000[/]")
def log(
    run: options.Run,
    uri: Annotated[str, typer.Argument(metavar="URI", show_default=False, help=options.MLFLOW_URI)],
) -> None:
    """Log a finished RUN to MLflow: scores, curves of all trials, report and bundle."""
    from autotl.automl import log_run
    from autotl.trial.run_folder import RunFolder

    typer.echo(f"The run is logged to {uri} as {log_run(RunFolder(run), uri)}.")


@app.command(epilog="Example: [bold]autotl demo image --time 3m[/]")
def demo(
    kind: Annotated[
        options.DemoName, typer.Argument(metavar="image|text", help="Which data to show it on.")
    ] = "image",
    time: Annotated[str, typer.Option(metavar="DURATION", help="Wall-clock budget: 90s, 10m, 1h30m.")] = "3m",
    out: options.Out = None,
    threads: options.Threads = None,
    seed: options.Seed = 0,
) -> None:
    """Fit textile photos (or short messages) and predict some that were held out."""
    from autotl.console.demo import run_demo

    run_demo(kind, time_budget=time, out=out, threads=threads, seed=seed)


def main() -> None:
    """Entry point of the console script."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    app()


def _columns(text: str | None, image: str | None) -> dict[str, Any]:
    """The input columns that were named."""
    columns = {"text": options.names(text), "image": image}
    return {name: value for name, value in columns.items() if value is not None}


def _data_parameters(given: dict[str, object]) -> dict[str, object]:
    """What every verb that reads labelled data hands on to `AutoTL`, from the verb's own arguments."""
    same = (
        *("target", "task", "metric", "group", "image", "test_share", "val_share", "val", "test"),
        *("offline", "cache_dir", "seed"),
    )
    return {"text": options.names(given["text"]), **{name: given[name] for name in same}}


def _search_parameters(given: dict[str, object]) -> dict[str, object]:
    """What `fit` and `space` hand on beside the data."""
    same = (
        *("space", "license", "max_latency_ms", "max_size_mb", "max_memory_mb"),
        *("latency_batch", "latency_threads", "device", "quality"),
    )
    return {"backbones": options.names(given["backbones"]), **{name: given[name] for name in same}}


if __name__ == "__main__":
    main()
