"""Everything before training: read, audit, split, profile, and the space that would be searched."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autotl.automl.footprints import Meter
from autotl.automl.originals import with_originals
from autotl.automl.settings import Settings, pick_device
from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.catalogue import catalogue, parse_backbones
from autotl.backbones.load import availability, resolve
from autotl.backbones.sources.finetuned import SOURCE, recorded
from autotl.data.audit import audit
from autotl.data.dataset import Dataset, Splits
from autotl.data.open import open_dataset
from autotl.data.splits import split
from autotl.errors import AutotlError, SpaceError
from autotl.modalities.registry import modality
from autotl.profile.build import build_profile
from autotl.profile.profile import DatasetProfile
from autotl.space.admission import BackboneChoice
from autotl.space.builder import build_space
from autotl.space.document import read as read_document
from autotl.space.limited import limited
from autotl.space.limits import Limits
from autotl.space.narrowed import narrowed
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.space.space import SearchSpace
from autotl.strategies.registry import strategies
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

if TYPE_CHECKING:
    from pathlib import Path

_MEASURED_BACKBONES = 3


def read_data(
    data: Any, settings: Settings, *, labels: Sequence[Any] | None = None, learnt: Container[str] = ()
) -> tuple[Dataset, Splits]:
    """Open, audit and split a data set as the settings ask.

    Args:
        data: What `open_dataset` takes.
        settings: What the user asked for.
        labels: Of data in memory.
        learnt: Fingerprints of the rows that a model of an earlier run was fitted on.
    """
    if settings.space is not None:
        read_document(settings.space)  # a mistake in it should not cost a long audit first
    dataset = open_dataset(
        data,
        target=settings.target,
        task=settings.task,
        metric=settings.metric,
        text=settings.text,
        image=settings.image,
        group=settings.group,
        labels=labels,
        val=settings.val,
        test=settings.test,
    )
    dataset = audit(dataset, modality(dataset.modality), threads=settings.threads)
    dataset = with_originals(dataset, seconds=settings.time_seconds, threads=settings.threads)
    known = np.array([content in learnt for content in dataset.fingerprints], bool)
    splits = split(
        dataset,
        seed=settings.seed,
        test_share=settings.test_share,
        val_share=settings.val_share,
        learnt=known if known.any() else None,
    )
    return dataset, splits


def plan_space(
    dataset: Dataset, splits: Splits, settings: Settings, *, device: str, begun: SearchSpace | None = None
) -> tuple[DatasetProfile, SearchSpace, list[BackboneChoice], dict[str, BackboneInfo]]:
    """Profile a data set and build the space for it.

    Args:
        dataset: The data.
        splits: Their parts.
        settings: What the user asked for.
        device: Where torch runs.
        begun: The space of a run that goes on: what of it the settings still allow is searched.

    Returns:
        The profile, the space, why each backbone is in or out, and the backbones that are in.
    """
    profile = build_profile(dataset, splits, modality(dataset.modality), seed=settings.seed)
    infos = candidates(dataset.modality, settings)
    with cache_at(settings.cache_dir):
        available = {name: availability(info, offline=settings.offline) for name, info in infos.items()}
    student = None if settings.distill_to is None else student_of(infos.values(), settings.distill_to)
    fresh = partial(
        build_space,
        profile,
        list(infos.values()),
        available,
        strategies=strategies(),
        limits=settings.limits if student is None else Limits(),  # which hold for the student alone
        wanted=student,
        quality=settings.quality,
        device=device,
        time_seconds=settings.time_seconds,
        user_space=settings.space,
        only_backbones=_only(settings.backbones, infos) if begun is None else _still(begun, settings, infos),
        licence=settings.license,
        threads=settings.threads,
    )
    build = fresh if begun is None else partial(_narrowed, begun, fresh)
    space, choices = build()
    meter = Meter(dataset, splits, profile, settings) if settings.limits else None
    if student is not None:
        space = _with_student(space, choices, infos[student], meter)
    elif meter is not None:
        space, choices = _within_limits(build, infos, meter)
    included = {c.name: infos[c.name] for c in choices if c.included and c.name in space.backbones}
    return profile, space, choices, included


def _within_limits(
    build: Callable[..., tuple[SearchSpace, list[BackboneChoice]]],
    infos: Mapping[str, BackboneInfo],
    meter: Meter,
) -> tuple[SearchSpace, list[BackboneChoice]]:
    """The space of the best backbones that meet the limits: those that do not make room for the next ones.

    Args:
        build: Makes a space without the backbones that it is given objections to.
        infos: The backbones.
        meter: Measures them.
    """
    objections: dict[str, str] = {}
    sizes: dict[str, list[int]] = {}
    while True:
        space, choices = build(objections=objections, sizes={name: own[0] for name, own in sizes.items()})
        unmeasured = [name for name in space.backbones if name not in sizes]
        for name in unmeasured:
            try:
                found = meter.sizes(space, infos[name])
            except AutotlError as error:
                found = f"it could not be measured: {error}"
            if isinstance(found, str):
                objections[name] = found
            else:
                sizes[name] = found
        if not unmeasured:
            said = {name: meter.words(infos[name], sizes[name][0]) for name in space.backbones}
            told = [f"{c.reason}; {said[c.name]}" if c.name in said else c.reason for c in choices]
            choices = [replace(c, reason=reason) for c, reason in zip(choices, told, strict=True)]
            return limited(space, sizes), choices


def _with_student(
    space: SearchSpace, choices: list[BackboneChoice], student: BackboneInfo, meter: Meter | None
) -> SearchSpace:
    """The space in which the backbone that is to be distilled into takes inputs within the limits.

    Raises:
        SpaceError: It cannot take part.
    """
    choice = next(choice for choice in choices if choice.name == student.name)
    sizes: list[int] | str = "it is not in the space of the run" if choice.included else choice.reason
    if student.name in space.backbones:
        sizes = [] if meter is None else meter.sizes(space, student)
    if isinstance(sizes, str):
        raise SpaceError(
            f"cannot distill into {student.name}",
            found=sizes,
            expected="a backbone that can be used and meets the limits",
            hint="Look at others: autotl backbones",
        )
    return limited(space, {student.name: sizes}) if sizes else space


def profile_data(data: Any, **parameters: Any) -> DatasetProfile:
    """The profile of a data set; parameters are those of `AutoTL`.

    The shift is measured for the backbones whose weights are on this machine, the first few by cost. Data
    that none of them can be used for have a profile all the same.
    """
    settings = _settings(parameters)
    dataset, splits = read_data(data, settings)
    findings = tuple(finding.message for finding in dataset.findings)
    device = pick_device(settings.device, settings.threads)
    try:
        profile, space, _, infos = plan_space(dataset, splits, settings, device=str(device))
    except SpaceError as error:
        profile = build_profile(dataset, splits, modality(dataset.modality), seed=settings.seed)
        return replace(profile, findings=(*findings, f"Nothing can be trained on these data here: {error}"))
    with tempfile.TemporaryDirectory() as folder:
        resources = replace(settings.resources(device), offline=True)
        plan = RunnerPlan(dataset, splits, infos, profile.inputs, RunFolder(folder), resources)
        runner = TrialRunner(plan)
        with cache_at(settings.cache_dir):
            here = [name for name, info in infos.items() if availability(info, offline=True).available]
        for name in sorted(here, key=lambda name: infos[name].macs)[:_MEASURED_BACKBONES]:
            runner.bench(space.default(name, BASELINE_STRATEGY))
        return replace(profile, shifts=runner.benches.shifts(), findings=findings)


def space_for(data: Any, **parameters: Any) -> tuple[SearchSpace, list[BackboneChoice]]:
    """The space that would be searched, and why each backbone is in or out."""
    settings = _settings(parameters)
    dataset, splits = read_data(data, settings)
    device = pick_device(settings.device, settings.threads)
    _, space, choices, _ = plan_space(dataset, splits, settings, device=str(device))
    return space, choices


def data_of(data: Any) -> str | Path:
    """A short name of what was passed to `fit`."""
    return data if isinstance(data, str) or hasattr(data, "__fspath__") else type(data).__name__


def _settings(parameters: Mapping[str, Any]) -> Settings:
    from autotl.automl.estimator import AutoTL

    return Settings.of(AutoTL(**parameters).get_params())


def candidates(modality_name: str, settings: Settings) -> dict[str, BackboneInfo]:
    """The catalogue, and what comes to it.

    What the user describes in the space file or names (hub ids, local paths); the network of an earlier run.
    """
    infos = dict(catalogue(modality_name))
    if settings.space is not None:
        tables = read_document(settings.space).backbone_tables
        infos |= {info.name: info for info in parse_backbones(tables, modality_name)}
    network = recorded(RunFolder(settings.out).predecessor)  # it stays when its own run is gone
    if network is not None:
        infos[network.name] = network
    for name in filter(None, [*(settings.backbones or ()), settings.distill_to]):
        if not any(info.is_meant_by(name) for info in infos.values()):
            with cache_at(settings.cache_dir):
                info = resolve(name, modality_name, offline=settings.offline)
            infos[info.name] = info
    return infos


def _only(asked: tuple[str, ...] | None, infos: Mapping[str, BackboneInfo]) -> tuple[str, ...] | None:
    """The only backbones to use: those asked for, and with them what an earlier run made of one."""
    if asked is None:
        return None
    return (*asked, *(info.name for info in infos.values() if info.source == SOURCE.name))


def _still(begun: SearchSpace, settings: Settings, infos: Mapping[str, BackboneInfo]) -> tuple[str, ...]:
    """The backbones of a run that goes on, as far as they are asked for.

    Raises:
        SpaceError: None of them is.
    """
    asked = _only(settings.backbones, infos)
    found = tuple(n for n in begun.backbones if asked is None or _is_asked(n, asked, infos))
    if not found:
        raise SpaceError(
            "the run was begun without the backbones that are asked for",
            found=", ".join(asked or ()),
            expected=f"some of {', '.join(begun.backbones)}",
            hint="Begin anew with another --out.",
        )
    return found


def _is_asked(name: str, asked: Iterable[str], infos: Mapping[str, BackboneInfo]) -> bool:
    """Whether a backbone of the run is asked for; what is known no longer goes by its name alone."""
    return name in asked or (name in infos and any(map(infos[name].is_meant_by, asked)))


def _narrowed(
    begun: SearchSpace, fresh: Callable[..., tuple[SearchSpace, list[BackboneChoice]]], **how: Any
) -> tuple[SearchSpace, list[BackboneChoice]]:
    """What `fresh` admits of the space of a run that goes on."""
    _, choices = fresh(**how)
    return narrowed(begun, {choice.name for choice in choices if choice.included}), choices


def student_of(infos: Iterable[BackboneInfo], asked: str) -> str:
    """Name of the backbone, one of those of `candidates`, that is meant by a name or a reference."""
    return next(info.name for info in infos if info.is_meant_by(asked))
