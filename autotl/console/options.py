"""The command line's options, each declared once and used by every verb that takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

TaskName = Literal["auto", "multiclass", "binary", "multilabel", "regression"]
LicenseRule = Literal["any", "permissive"]
EngineName = Literal["local", "ray"]
QualityName = Literal["fast", "balanced", "best"]
CompressName = Literal["none", "int8", "fp16"]
RunDevice = Literal["cpu", "cuda"]
FormatName = Literal["bundle", "docker", "triton"]
PartName = Literal["train", "val", "test"]
DemoName = Literal["image", "text"]

_SEARCH = "Search"
_MACHINE = "Machine"
_DATA = "Data"
_DEPLOYMENT = "What the deployed model may take"
_BATCHES = "Batches"
_LIMITS = "Limits of a process"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder of class folders (with or without train/ val/ test/), a CSV, TSV, JSONL or Parquet "
        "file, or a folder of train.csv, val.csv, test.csv.",
    ),
]
Run = Annotated[
    Path, typer.Argument(metavar="RUN", show_default=False, help="A run folder, such as runs/photos.")
]
Bundle = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE",
        show_default=False,
        help="An exported bundle, such as runs/photos/model, or the run folder that holds it.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        show_default=False,
        help="Files, folders, tables (CSV, TSV, JSONL, Parquet), a text in quotes (of two words or more), or "
        "- for standard input.",
    ),
]

Target = Annotated[
    str | None,
    typer.Option(
        metavar="COL", help="Column to predict; found by itself where unset.", rich_help_panel=_DATA
    ),
]
Task = Annotated[
    TaskName, typer.Option(help="Kind of task; auto reads it off the labels.", rich_help_panel=_DATA)
]
Group = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Rows of equal value stay in one part.", rich_help_panel=_DATA),
]
Text = Annotated[
    str | None,
    typer.Option(metavar="COL,...", help="Text column, or several for one input.", rich_help_panel=_DATA),
]
Image = Annotated[
    str | None, typer.Option(metavar="COL", help="Column of image paths.", rich_help_panel=_DATA)
]
TestShare = Annotated[
    float,
    typer.Option(min=0.01, max=0.9, help="Share held out for the final test.", rich_help_panel=_DATA),
]
ValShare = Annotated[
    float,
    typer.Option(min=0.01, max=0.9, help="Share of the rest that selects models.", rich_help_panel=_DATA),
]
Val = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Validation data of their own.", rich_help_panel=_DATA)
]
Test = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Test data of their own.", rich_help_panel=_DATA)
]

Metric = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Metric that selects models; the task's usual one where unset."),
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Wall-clock budget: 90s, 10m, 1h30m; 10m where neither it nor --trials is set.",
        rich_help_panel=_SEARCH,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Most trials; without --time nothing else ends the search, and it can be repeated exactly.",
        rich_help_panel=_SEARCH,
    ),
]
Space = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="TOML that overrides or extends the search space.", rich_help_panel=_SEARCH
    ),
]
Backbones = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Consider these only: names of autotl backbones, timm/ID, hf:ID, local:PATH[:ARCHITECTURE].",
        rich_help_panel=_SEARCH,
    ),
]
License = Annotated[
    LicenseRule, typer.Option(help="Which licences of weights to admit.", rich_help_panel=_SEARCH)
]
Quality = Annotated[
    QualityName, typer.Option(help="How thoroughly to use the budget.", rich_help_panel=_SEARCH)
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        metavar="N",
        help="Seed of splits, search and training.",
        rich_help_panel=_SEARCH,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --out.", rich_help_panel=_SEARCH)
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Run folder; runs/DATE-TIME where unset.", rich_help_panel=_SEARCH),
]

Engine = Annotated[
    EngineName,
    typer.Option(help="Run trials in this process or under Ray Tune.", rich_help_panel=_MACHINE),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Ray cluster to run on: auto or HOST:PORT; Ray on this machine where unset. All nodes must see "
        "DATA and --out under the same paths.",
        rich_help_panel=_MACHINE,
    ),
]
TrialCpus = Annotated[
    float, typer.Option(metavar="N", help="CPUs that a trial under Ray reserves.", rich_help_panel=_MACHINE)
]
TrialGpus = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="GPUs that a trial under Ray reserves, or a share of one; 1 where unset and --device has one.",
        rich_help_panel=_MACHINE,
    ),
]
MaxLatency = Annotated[
    float | None,
    typer.Option(
        "--max-latency-ms",
        metavar="MS",
        help="Most milliseconds that a prediction of the exported model may take, measured here.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
MaxModelSize = Annotated[
    float | None,
    typer.Option("--max-size-mb", metavar="MB", help="Largest exported model.", rich_help_panel=_DEPLOYMENT),
]
MaxMemory = Annotated[
    float | None,
    typer.Option(
        "--max-memory-mb",
        metavar="MB",
        help="Most memory of a process that runs the exported model, Python included; measured.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
LatencyBatch = Annotated[
    int,
    typer.Option(
        min=1,
        max=4096,
        metavar="N",
        help="Inputs that are predicted together where that is measured; the limit is then theirs.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
LatencyThreads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        metavar="N",
        help="CPU threads that it is measured with; --threads where unset.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
Scheduler = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Who gets the next epoch: gain (whoever is expected to gain most, less a price for its time; "
        "the others pause), fifo (one trial after the other, hopeless ones stopped), asha, pasha.",
        rich_help_panel=_SEARCH,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=_MACHINE)]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=1024, metavar="N", help="CPU threads; all cores where unset.", rich_help_panel=_MACHINE
    ),
]
RunOn = Annotated[
    RunDevice,
    typer.Option(
        "--device",
        help="Where the model runs: cpu, or cuda for an NVIDIA GPU, with onnxruntime-gpu.",
        rich_help_panel=_MACHINE,
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never touch the network.", rich_help_panel=_MACHINE)
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where the lock file of downloads, measurements of this machine and cached features lie.",
        rich_help_panel=_MACHINE,
    ),
]
CacheLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Cached features that may stay for later runs: 5GB, 500MB, 0 for none; 20GiB where unset, or a "
        "fifth of the free disk.",
        rich_help_panel=_MACHINE,
    ),
]
Experience = Annotated[
    bool,
    typer.Option(
        "--experience/--no-experience",
        help="Learn from earlier runs on this machine; holds no data.",
        rich_help_panel=_SEARCH,
    ),
]
Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Address to listen on; 0.0.0.0 for all: there is no password, so put a proxy before it.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port; 0 for any free one.")]
ModelName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name of the model in URLs; from its folder where unset."),
]
Workers = Annotated[
    int,
    typer.Option(
        min=1, max=256, metavar="N", help="Processes; each holds the model.", rich_help_panel=_MACHINE
    ),
]
BatchItems = Annotated[
    int,
    typer.Option(
        "--max-batch",
        min=1,
        max=4096,
        metavar="N",
        help="Most inputs that run together.",
        rich_help_panel=_BATCHES,
    ),
]
Delay = Annotated[
    float,
    typer.Option(
        "--max-delay",
        min=0,
        max=10_000,
        metavar="MS",
        help="Milliseconds that an input may wait for others that are being decoded.",
        rich_help_panel=_BATCHES,
    ),
]
MaxBody = Annotated[
    str, typer.Option(metavar="SIZE", help="Longest body of a request.", rich_help_panel=_LIMITS)
]
MaxItems = Annotated[
    int, typer.Option(min=1, metavar="N", help="Most inputs of a request.", rich_help_panel=_LIMITS)
]
MaxPixels = Annotated[int, typer.Option(min=1, metavar="N", help="Largest image.", rich_help_panel=_LIMITS)]
MaxCharacters = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Longest text, in characters.", rich_help_panel=_LIMITS),
]
QueueItems = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="Inputs that may wait; beyond, 429 and Retry-After.", rich_help_panel=_LIMITS
    ),
]
QueueBytes = Annotated[
    str,
    typer.Option(metavar="SIZE", help="Memory of what waits; beyond, 429.", rich_help_panel=_LIMITS),
]
Timeout = Annotated[
    float,
    typer.Option(
        min=0.001, metavar="SECONDS", help="Longest time to an answer; beyond, 504.", rich_help_panel=_LIMITS
    ),
]
Compress = Annotated[
    CompressName,
    typer.Option(
        help="int8, or fp16 for an NVIDIA GPU that is here: ship such a graph where it loses 0.5 points at "
        "most and is 1.2 times as fast.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
ReferenceRows = Annotated[
    bool,
    typer.Option(
        "--reference-rows/--no-reference-rows",
        help="Let the bundle hold embeddings of test rows, for autotl monitor; without them it holds totals.",
        rich_help_panel=_DATA,
    ),
]
DistillTo = Annotated[
    str | None,
    typer.Option(
        metavar="BACKBONE",
        help="Let this backbone learn from the winner, and deliver it in its place.",
        rich_help_panel=_DEPLOYMENT,
    ),
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Go on from a finished run on new DATA: begin with its winner, and compare both models at last.",
        rich_help_panel=_SEARCH,
    ),
]
MLFLOW_URI = "Tracking server or store of MLflow, such as http://127.0.0.1:5000 or sqlite:///mlflow.db."
Mlflow = Annotated[
    str | None,
    typer.Option(metavar="URI", help=f"Log the finished run there. {MLFLOW_URI}", rich_help_panel=_MACHINE),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


_DEFAULT_TIME = "10m"


def names(value: object) -> list[str] | None:
    """A comma-separated option as a list without blanks; None where it is unset or empty."""
    parts = [part.strip() for part in str(value or "").split(",")]
    return [part for part in parts if part] or None


def budget(time: str | None, trials: int | None) -> str | None:
    """The time budget that is meant: a number of trials alone sets no limit of time."""
    return _DEFAULT_TIME if time is None and trials is None else time
