"""From a profiled data set to the space that is searched on it, and the reasons for each backbone.

The packaged TOML file of the modality, the user's file over it, the backbones that can be had, the hardware
and the time go in; nothing is loaded, timed or trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.backbones.backbone import Availability, BackboneInfo
from autotl.backbones.catalogue import space_files
from autotl.cores import usable_cores
from autotl.profile.profile import DatasetProfile
from autotl.space.admission import BackboneChoice, Demand, admit, predicted_speed
from autotl.space.document import Document, read
from autotl.space.limits import Limits
from autotl.space.resolve import Bounds, resolve
from autotl.space.space import SearchSpace
from autotl.task import Task

if TYPE_CHECKING:
    from autotl.strategies.strategy import Strategy

_UNLIMITED = Limits()


def build_space(
    profile: DatasetProfile,
    backbones: Sequence[BackboneInfo],
    available: Mapping[str, Availability],
    *,
    strategies: Mapping[str, Strategy],
    limits: Limits = _UNLIMITED,
    objections: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    quality: str = "balanced",
    device: str = "cpu",
    time_seconds: float | None = None,
    user_space: Path | None = None,
    only_backbones: Sequence[str] | None = None,
    licence: str = "any",
    threads: int | None = None,
    wanted: str | None = None,
) -> tuple[SearchSpace, list[BackboneChoice]]:
    """The search space for a data set.

    Args:
        profile: The data.
        backbones: The catalogue's entries for the modality.
        available: What their sources say, by name; a missing entry counts as unavailable.
        strategies: Strategies by name.
        limits: What the deployed model may take.
        objections: Why backbones are out that were measured against the limits, by name.
        sizes: Largest inputs with which others meet them, by name; 0 for their own.
        quality: "fast", "balanced" or "best".
        device: "cpu", "cuda", "cuda:0", "mps"; "auto" counts as the CPU.
        time_seconds: Time of the whole search; None narrows nothing by time.
        user_space: A TOML file that overrides or extends the packaged one.
        only_backbones: Names (or hub ids, paths) to use and no other; time then excludes none.
        licence: "permissive" leaves out weights whose licence restricts use; "any" keeps them.
        threads: Threads on a CPU; all cores unless given.
        wanted: Name of a backbone that takes part whatever its rank.

    Returns:
        The space, and for every backbone whether it is in and why.

    Raises:
        SpaceError: A file has a mistake (with its line), or nothing is left.
    """
    speed = predicted_speed(device, threads or usable_cores())
    only = None if only_backbones is None else tuple(only_backbones)
    demand = Demand(
        profile=profile,
        limits=limits,
        licence=licence,
        quality=quality,
        time_seconds=time_seconds,
        speed=speed,
        only=only,
        objections=objections or {},
        sizes=sizes or {},
        wanted=wanted,
        deployed_speed=predicted_speed("cpu", limits.threads or threads or usable_cores()),
    )
    documents = _documents(profile.modality, user_space)
    infos, choices = admit(backbones, available, demand)
    facts = _facts(profile, device, quality, time_seconds)
    kind = Task.from_json(profile.task).kind
    bounds = Bounds(
        {info.name: asdict(info) for info in _by_prior(infos)},
        infos[0].name,
        {name: tuple(i.name for i in _by_prior(infos) if s.suits(i, kind)) for name, s in strategies.items()},
        known=tuple(info.name for info in backbones),
    )
    space = resolve(documents, strategies, bounds, facts)
    return space, choices


def _documents(modality: str, user_space: Path | None) -> list[Document]:
    own = None if user_space is None else read(Path(user_space))
    path = space_files().get(modality)
    packaged = [] if path is None or (own is not None and not own.inherit) else [read(path)]
    return packaged + ([] if own is None else [own])


def _facts(profile: DatasetProfile, device: str, quality: str, time_seconds: float | None) -> dict[str, Any]:
    """What conditions on the profile are tested on."""
    facts = profile.to_json()
    facts["run"] = {
        "device": device.partition(":")[0],
        "quality": quality,
        "time_seconds": math.inf if time_seconds is None else time_seconds,
    }
    return facts


def _by_prior(infos: Sequence[BackboneInfo]) -> list[BackboneInfo]:
    return sorted(infos, key=lambda info: (-info.prior, info.macs, info.name))
