"""`Settings`: what the user asked for, checked and in the types that the stages use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autotl.backbones.cache_dir import cache_dir
from autotl.cores import usable_cores
from autotl.errors import MissingExtraError, RunError, SettingsError, StorageError
from autotl.search.budget import parse_duration
from autotl.sizes import parse_size
from autotl.space.limits import Limits
from autotl.trial.run_folder import free_folder
from autotl.versions import install_command

if TYPE_CHECKING:
    import torch

    from autotl.trial.plan import Resources

QUALITIES = ("fast", "balanced", "best")
LICENSES = ("permissive", "any")
COMPRESSIONS = ("none", "int8", "fp16")
ENGINES = ("local", "ray")
#: Seeds that every library takes, more threads than any machine gains from, and larger batches.
MOST_SEED, MOST_THREADS, MOST_BATCH = 2**32 - 1, 1024, 4096
_MEGABYTE = 10**6
#: Kinds of torch devices that train.
_DEVICES = ("cpu", "cuda", "mps")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Settings:
    """Checked parameters of `AutoTL`; see there for their meaning."""

    time_seconds: float | None
    trials: int | None
    metric: str | None
    task: str
    space: Path | None
    backbones: tuple[str, ...] | None
    license: str
    target: str | None
    group: str | None
    text: tuple[str, ...] | None
    image: str | None
    engine: str
    ray_address: str | None
    trial_cpus: float
    trial_gpus: float | None
    scheduler: str
    device: str
    threads: int | None
    offline: bool
    out: Path
    resume: bool
    seed: int
    quality: str
    test_share: float
    val_share: float
    val: str | None
    test: str | None
    cache_dir: Path
    experience: bool
    cache_limit: int | None = None
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    max_memory_mb: float | None = None
    latency_batch: int = 1
    latency_threads: int | None = None
    reference_rows: bool = True
    compress: str = "none"
    mlflow: str | None = None
    from_run: Path | None = None
    distill_to: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Settings:
        """Check the parameters of an estimator.

        Raises:
            SettingsError: A parameter is outside its domain.
            BudgetError: The time budget cannot be read.
            RunError: A run is to go on, and nothing says which.
            StorageError: The cache folder that was asked for cannot be made.
        """
        _check(parameters)
        p = parameters
        new = free_folder(Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}")
        converted: dict[str, Any] = {
            "time_seconds": _if_given(parse_duration, p["time_budget"]),
            "space": _if_given(Path, p["space"]),
            "backbones": _names(p["backbones"]),
            "text": _names(p["text"]),
            "out": new if p["out"] is None else Path(p["out"]),
            "val": _if_given(str, p["val"]),
            "test": _if_given(str, p["test"]),
            "cache_dir": cache_dir() if p["cache_dir"] is None else _made(Path(p["cache_dir"])),
            "cache_limit": _if_given(parse_size, p["cache_limit"]),
            "from_run": _if_given(Path, p["from_run"]),
        }
        own = {field.name for field in dataclass_fields(cls)}
        return cls(**{name: p[name] for name in own & p.keys()} | converted)

    def resources(self, device: torch.device) -> Resources:
        """What trials may use, on the device that was picked."""
        from autotl.trial.plan import Resources

        return Resources(
            device=device,
            threads=self.threads,
            offline=self.offline,
            seed=self.seed,
            cache_dir=self.cache_dir,
            cache_limit=self.cache_limit,
        )

    @property
    def limits(self) -> Limits:
        """What the deployed model may take."""
        return Limits(
            max_latency_ms=self.max_latency_ms,
            max_size_bytes=_bytes(self.max_size_mb),
            max_memory_bytes=_bytes(self.max_memory_mb),
            batch=self.latency_batch,
            threads=self.latency_threads or self.threads,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, for the record; `from_json` inverts it."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        """Rebuild settings that `to_json` wrote; a setting that came later has its default.

        Raises:
            RunError: They are those of another version.
        """
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        known = {field.name: field.default for field in dataclass_fields(cls)}
        fields = {name: default for name, default in known.items() if default is not MISSING} | fields
        if fields.keys() != known.keys():
            raise RunError(
                "the run was recorded by another version of autotl",
                found=f"settings that differ in {', '.join(sorted(fields.keys() ^ known.keys()))}",
                hint="Open it with that version; run.json names it.",
            )
        for name in ("space", "out", "cache_dir", "from_run"):
            fields[name] = None if fields[name] is None else Path(fields[name])
        return cls(**fields)


def pick_device(name: str, threads: int | None) -> torch.device:
    """The torch device for "auto", "cpu", "cuda", "cuda:1" or "mps"; sets the number of CPU threads.

    Raises:
        MissingExtraError: Torch is not installed.
        RunError: There is no such device.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "training needs torch, which is not installed", hint=f"Type: {install_command('train')}"
        ) from error
    if threads is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    refused = RunError(
        "no such device", found=name, expected="auto, cpu, cuda, cuda:N or mps that this machine has"
    )
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise refused from error
    if device.type not in _DEVICES:
        raise refused
    return device


def hardware(device: str) -> dict[str, Any]:
    """What this machine is, for the record."""
    import platform

    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": usable_cores(),
        "python": platform.python_version(),
        "device": device,
    }


def _check(p: Mapping[str, Any]) -> None:
    """Refuse parameters outside their domains, alone or together."""
    _check_choice("quality", p["quality"], QUALITIES)
    _check_choice("engine", p["engine"], ENGINES)
    _check_choice("license", p["license"], LICENSES)
    _check_choice("compress", p["compress"], COMPRESSIONS)
    for share in ("test_share", "val_share"):
        if not 0 < p[share] < 1:
            raise SettingsError(f"{share} is no share", found=p[share], expected="a number between 0 and 1")
    if p["trials"] is not None and p["trials"] < 1:
        raise SettingsError("trials leaves nothing to do", found=p["trials"], expected="1 or more")
    _check_range("seed", p["seed"], 0, MOST_SEED)
    for name in ("threads", "latency_threads"):
        if p[name] is not None:
            _check_range(name, p[name], 1, MOST_THREADS)
    if p["resume"] and p["out"] is None:
        raise RunError(
            "cannot tell which run to go on with",
            found="resume without a run folder",
            hint="Name it: autotl fit DATA --out RUN --resume",
        )
    if p["trial_cpus"] <= 0 or (p["trial_gpus"] or 0) < 0:
        raise SettingsError(
            "a trial cannot reserve so little",
            found=f"trial_cpus={p['trial_cpus']}, trial_gpus={p['trial_gpus']}",
            expected="more than 0 CPUs and 0 or more GPUs",
        )
    for name in ("max_latency_ms", "max_size_mb", "max_memory_mb"):
        if p[name] is not None and not p[name] > 0:
            raise SettingsError(f"{name} admits no model", found=p[name], expected="more than 0")
    _check_range("latency_batch", p["latency_batch"], 1, MOST_BATCH)
    if p["ray_address"] is not None and p["engine"] != "ray":
        raise SettingsError(
            "ray_address has no use", found=f"engine={p['engine']!r}", expected="engine='ray'"
        )


def _if_given(convert: Callable[[Any], _Value], value: Any) -> _Value | None:
    return None if value is None else convert(value)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else list(value)
    return tuple(part.strip() for part in parts if part.strip())


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else int(megabytes * _MEGABYTE)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "cannot make the cache folder",
            found=f"{folder} ({error.strerror})",
            hint="Choose another with --cache-dir.",
        ) from error
    return folder


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsError(f"{name} is out of range", found=value, expected=f"{least} to {most}")


def _check_choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    if value not in options:
        raise SettingsError(f"unknown {name}", found=repr(value), expected=" or ".join(options))
