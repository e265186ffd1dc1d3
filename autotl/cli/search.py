"""Verbs that look at data and search: fit, profile, space, backbones, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autotl.cli.app import app
from autotl.console import options

_PANEL = "Data and search"


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl fit photos/ --time 10m --out runs/photos[/]\n\n"
    "[bold]autotl fit mails.csv --target topic --text subject,body --metric macro_f1[/]\n\n"
    "[bold]autotl fit new_photos/ --from runs/photos --out runs/photos-june[/]",
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


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl profile photos/[/]")
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


@app.command(
    rich_help_panel=_PANEL,
    epilog="Examples: [bold]autotl audit photos/ --out audit/[/]\n\n"
    "[bold]autotl audit photos/ --fix photos.csv && autotl fit photos.csv --group group[/]",
)
def audit(
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
    rows: Annotated[
        int, typer.Option(min=50, max=10_000, metavar="N", help="Most rows whose features are compared.")
    ] = 4000,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write audit.json and audit.html there.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write an index of the rows to use; DATA stay as they are."),
    ] = None,
    drop_suspects: Annotated[
        bool, typer.Option("--drop-suspects", help="Leave rows with doubtful labels out of the index too.")
    ] = False,
    offline: options.Offline = False,
    cache_dir: options.CacheDir = None,
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Look for what is wrong with DATA: copies, leaks, doubtful labels, outliers, unreadable files.

    Ends with 0 where nothing needs a look, with 3 where something does.
    """
    from autotl.automl import audit_data
    from autotl.console import auditing

    if fix is not None:
        from autotl.automl.cleaned import check_place, write_cleaned

        check_place(fix, data, val, test)
    found = audit_data(data, rows=rows, threads=threads, **_data_parameters(locals()))
    cleaned = None
    if fix is not None:
        cleaned = write_cleaned(
            found, data, fix, group=group, val=val, test=test, drop_suspects=drop_suspects
        )
    auditing.show(found, cleaned, out, as_json=json)
    raise typer.Exit(auditing.exit_code(found))


@app.command(
    rich_help_panel=_PANEL, epilog="Example: [bold]autotl space photos/ --time 3m --license permissive[/]"
)
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


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl backbones --modality text --offline[/]")
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


@app.command(rich_help_panel=_PANEL, epilog="Example: [bold]autotl demo image --time 3m[/]")
def demo(
    kind: Annotated[
        options.DemoName, typer.Argument(metavar="image|text", help="Which data to show it on.")
    ] = "image",
    time: Annotated[str, typer.Option(metavar="DURATION", help="Wall-clock budget: 90s, 10m, 1h30m.")] = "3m",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Run folder; runs/demo-KIND where unset.")
    ] = None,
    threads: options.Threads = None,
    seed: options.Seed = 0,
) -> None:
    """Fit textile photos (or short messages) and predict some that were held out."""
    from autotl.console.demo import run_demo

    run_demo(kind, time_budget=time, out=out, threads=threads, seed=seed)


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
