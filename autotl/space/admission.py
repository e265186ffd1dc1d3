"""Which backbones may carry a search: licence, reach, limits, language, time; and which is the default.

Costs are predictions from multiply-accumulates; nothing is loaded or timed here. What only a measurement can
tell comes in as reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from autotl.backbones.backbone import Availability, BackboneInfo, standing
from autotl.data.rows import some
from autotl.errors import SpaceError
from autotl.profile.profile import DatasetProfile
from autotl.space.limits import Limits

#: Sustained frozen speed in 10^9 multiply-accumulates a second: one CPU thread (ONNX Runtime, AVX2), one GPU.
_GMACS_PER_THREAD, _GMACS_GPU, _MOST_THREADS = 12.0, 3000.0, 32
#: Share of the time that one pass over the rows may take for a backbone to be admitted at all.
_PROBE_SHARE = 0.5
#: Share of the time, and seconds, that the default backbone's pass may take: a usable model comes early.
_DEFAULT_SHARE, _DEFAULT_SECONDS = 0.15, 30.0
#: Most backbones in one search.
_MOST_BACKBONES = {"fast": 3, "balanced": 6, "best": 12}
_BYTES_PER_WEIGHT = 4
#: A prediction so many times over a limit leaves a backbone out; what is nearer is measured. The slack of
#: latency is wide: multiply-accumulates tell little of it, and smaller inputs lower it.
_SIZE_SLACK, _LATENCY_SLACK = 1.2, 10.0
_NOT_ASKED, _FOREIGN = "others were asked for", "wrong language"
#: Tokens that the catalogue's figure for a text is counted at, and those that an average word takes.
_TOKENS_OF_MACS, _TOKENS_PER_WORD = 128, 1.35


@dataclass(frozen=True)
class BackboneChoice:
    """Whether a backbone takes part, and why.

    Attributes:
        name: Name in the catalogue, or as the user wrote it.
        included: Whether it takes part.
        reason: In words.
        predicted_seconds: Predicted time of one frozen pass over training and validation rows.
        is_default: Whether it carries the baseline.
    """

    name: str
    included: bool
    reason: str
    predicted_seconds: float = 0.0
    is_default: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "name": self.name,
            "included": self.included,
            "reason": self.reason,
            "predicted_seconds": round(self.predicted_seconds, 3),
            "is_default": self.is_default,
        }


@dataclass(frozen=True)
class Demand:
    """What the search asks of backbones.

    Attributes:
        profile: The data.
        limits: Limits of the deployed model.
        licence: "permissive" or "any".
        quality: "fast", "balanced" or "best".
        time_seconds: Time of the whole search; None for no limit.
        speed: Multiply-accumulates a second of a frozen pass.
        only: Names or references that the user asked for; None for all.
        objections: Why backbones are out that were measured against the limits, by name.
        wanted: Name of a backbone that takes part whatever its rank, its time and what else was asked for.
        deployed_speed: Multiply-accumulates a second where the model is to run; None for `speed`.
        sizes: Largest inputs with which backbones meet the limits, where measured, by name; 0 for their own.
    """

    profile: DatasetProfile
    limits: Limits
    licence: str
    quality: str
    time_seconds: float | None
    speed: float
    only: tuple[str, ...] | None = None
    objections: Mapping[str, str] = field(default_factory=dict)
    deployed_speed: float | None = None
    wanted: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def standing(self, info: BackboneInfo) -> float:
        """What lets a backbone be expected to do well, at the inputs that it may take."""
        return standing(info.prior, info.octaves_at(self.sizes.get(info.name)))

    @property
    def rows(self) -> int:
        """Training and validation rows."""
        return self.profile.rows.get("train", 0) + self.profile.rows.get("val", 0)

    def macs(self, info: BackboneInfo) -> int:
        """Multiply-accumulates of one input of these data: texts count by their own mean length."""
        tokens = _mean_tokens(self.profile)
        if tokens is None:
            return info.macs
        longest = info.input.get("max_length", _TOKENS_OF_MACS)
        return max(int(info.macs * min(tokens, float(longest)) / _TOKENS_OF_MACS), 1)

    def probe_seconds(self, info: BackboneInfo) -> float:
        """Predicted time of one frozen pass over training and validation rows."""
        return self.macs(info) * self.rows / self.speed


def predicted_speed(device: str, threads: int) -> float:
    """Multiply-accumulates a second that a frozen pass is expected to reach; "auto" counts as the CPU."""
    if device.partition(":")[0] in ("cpu", "auto"):
        return _GMACS_PER_THREAD * 1e9 * min(max(threads, 1), _MOST_THREADS)
    return _GMACS_GPU * 1e9


def admit(
    backbones: Sequence[BackboneInfo], available: Mapping[str, Availability], demand: Demand
) -> tuple[list[BackboneInfo], list[BackboneChoice]]:
    """Choose the backbones of a search.

    Returns:
        The admitted ones, the default first, then by what is expected of them; and a choice for every
        backbone, in the order of the catalogue, and for every unknown name that the user asked for.

    Raises:
        SpaceError: None is left; the message says why each is out.
    """
    reasons = {info.name: _objection(info, available.get(info.name), demand) for info in backbones}
    slow = {info.name for info in backbones if reasons[info.name] is None and not _fits(info, demand)}
    fitting = [info for info in backbones if reasons[info.name] is None and info.name not in slow]
    notes: dict[str, str] = {}
    if not fitting and slow:
        cheapest = min((info for info in backbones if info.name in slow), key=lambda info: info.macs)
        fitting, slow = [cheapest], slow - {cheapest.name}
        notes[cheapest.name] = "the cheapest there is, though it may take longer than the time allows"
    choices = _unknown(backbones, demand)
    if not fitting:
        raise _nothing_left(reasons, choices, demand)
    ranked = sorted(fitting, key=lambda info: (-demand.standing(info), info.macs, info.name))
    default = _default(ranked, demand)
    ranked = [default, *(info for info in ranked if info is not default)]
    most = len(ranked) if demand.only is not None else _MOST_BACKBONES[demand.quality]
    kept = ranked[:most] + [info for info in ranked[most:] if info.name == demand.wanted]
    names = {info.name for info in kept}
    for info in backbones:
        seconds = demand.probe_seconds(info)
        reason = reasons[info.name]
        if reason is None and info.name in slow:
            reason = f"too large for the time: one pass over the rows takes about {seconds:.0f} s"
        elif reason is None and info.name not in names:
            reason = f"{most} better or cheaper ones are in (quality {demand.quality})"
        is_in = info.name in names
        words = notes.get(info.name) or _admitted(info, available, seconds) if is_in else str(reason)
        choices.append(BackboneChoice(info.name, is_in, words, seconds, info is default))
    return kept, choices


def _objection(info: BackboneInfo, availability: Availability | None, demand: Demand) -> str | None:
    """Why a backbone cannot take part however much time there is; None where it can."""
    asked, language = demand.only, _language(demand.profile)
    if asked is not None and info.name != demand.wanted and not any(map(info.is_meant_by, asked)):
        return _NOT_ASKED
    if demand.licence != "any" and not info.commercial:
        return f"licence {info.licence} is not permissive; --license any admits it"
    if availability is None or not availability.available:
        return "unavailable: " + (availability.reason if availability else "its source was not asked")
    if (over := demand.objections.get(info.name) or _far_over(info, demand)) is not None:
        return over
    if asked is None and language and info.languages and not {language, "mul"} & set(info.languages):
        return f"{_FOREIGN}: knows {', '.join(info.languages)}, the texts are in {language}"
    return None


def _far_over(info: BackboneInfo, demand: Demand) -> str | None:
    """By how much a backbone is sure to exceed a limit; None where it may meet them."""
    limits, size = demand.limits, info.parameters * _BYTES_PER_WEIGHT
    if limits.max_size_bytes is not None and size > _SIZE_SLACK * limits.max_size_bytes:
        return f"about {size / 1e6:.0f} MB is over the limit of {limits.max_size_bytes / 1e6:g} MB"
    speed = demand.deployed_speed or demand.speed
    latency = 1000 * limits.batch * demand.macs(info) / speed
    if limits.max_latency_ms is not None and latency > _LATENCY_SLACK * limits.max_latency_ms:
        return f"about {latency:.1f} ms a {limits.unit} is over the limit of {limits.max_latency_ms:g} ms"
    return None


def _fits(info: BackboneInfo, demand: Demand) -> bool:
    if demand.time_seconds is None or demand.only is not None or info.name == demand.wanted:
        return True
    return demand.probe_seconds(info) <= _PROBE_SHARE * demand.time_seconds


def _default(ranked: Sequence[BackboneInfo], demand: Demand) -> BackboneInfo:
    """The best prior among those whose first pass is short, else the cheapest."""
    seconds = _DEFAULT_SECONDS
    if demand.time_seconds is not None:
        seconds = min(seconds, _DEFAULT_SHARE * demand.time_seconds)
    quick = [info for info in ranked if demand.probe_seconds(info) <= seconds]
    return quick[0] if quick else min(ranked, key=lambda info: info.macs)


def _admitted(info: BackboneInfo, available: Mapping[str, Availability], seconds: float) -> str:
    return f"{available[info.name].reason}; one pass over the rows takes about {seconds:.1f} s"


def _unknown(backbones: Sequence[BackboneInfo], demand: Demand) -> list[BackboneChoice]:
    names = [name for info in backbones for name in (info.name, info.reference)]
    found = []
    for name in demand.only or ():
        if not any(info.is_meant_by(name) for info in backbones):
            close = get_close_matches(name, names, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            found.append(BackboneChoice(name, False, f"not in the catalogue{hint}"))
    return found


def _nothing_left(
    reasons: Mapping[str, str | None], unknown: Sequence[BackboneChoice], demand: Demand
) -> SpaceError:
    asked = {name: reason for name, reason in reasons.items() if reason != _NOT_ASKED}
    asked.update({choice.name: choice.reason for choice in unknown})
    alike: dict[str | None, list[str]] = {}
    for name, reason in asked.items():
        alike.setdefault(reason, []).append(name)
    listed = "; ".join(f"{some(names, 3)}: {reason}" for reason, names in alike.items())
    foreign = [names[0] for reason, names in alike.items() if str(reason).startswith(_FOREIGN)]
    hint = "Look at them: autotl backbones."
    if foreign:
        hint += f" Or fit with one whatever its language: --backbones {foreign[0]}"
    return SpaceError(
        "no backbone is left to search with",
        found=listed or f"no backbone for {demand.profile.modality} in the catalogue",
        expected="at least one that licence, limits and language admit and whose weights are here",
        hint=hint,
    )


def _mean_tokens(profile: DatasetProfile) -> float | None:
    """Mean tokens of a text in these data, estimated from its words; None for other modalities."""
    words = profile.inputs.get("words")
    mean = words.get("mean") if isinstance(words, Mapping) else None
    return None if mean is None else _TOKENS_PER_WORD * float(mean) + 2


def _language(profile: DatasetProfile) -> str | None:
    """The language of most texts, where the profile knows one."""
    languages = profile.inputs.get("languages")
    if not isinstance(languages, Mapping) or not languages:
        return None
    language, share = max(languages.items(), key=lambda item: item[1])
    known = len(str(language)) == 2 and share >= 0.5 * sum(languages.values())
    return str(language) if known else None
