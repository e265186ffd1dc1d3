"""After the search: a smaller network learns from what would else be delivered, and takes its place."""

from __future__ import annotations

import time
from collections.abc import Sequence

from autotl.automl.delivery import Delivery
from autotl.config import TrialConfig, TrialResult
from autotl.leaderboard.selection import is_candidate
from autotl.search.backend import Ended, Stepped
from autotl.search.events import EpochDone, Listener, TrialFinished, TrialStarted
from autotl.search.local import LocalBackend
from autotl.search.outcomes import sound
from autotl.space.space import SearchSpace

STRATEGY = "distill"
#: What multiplies the learning rate of the default recipe, in the order in which recipes are tried.
_RATES = (1.0, 2.0, 0.4)


class Distillation:
    """A backbone that learns from a trial.

    Args:
        delivery: Holds the runner and what it has trained.
        space: Gives the recipe.
        teacher: The trial, or combination of trials, to learn from.
        student: Name of the backbone.
        tell: Told of starts, epochs and ends.
    """

    def __init__(
        self, delivery: Delivery, space: SearchSpace, teacher: TrialResult, student: str, tell: Listener
    ) -> None:
        self._delivery, self._space, self._tell = delivery, space, tell
        self.teacher, self.student = teacher, student

    def run(self, number: int, seconds_left: float) -> list[TrialResult]:
        """Train the student with some learning rates as time allows.

        Args:
            number: What the first result is numbered.
            seconds_left: Time there is; a recipe is begun where it is expected to end within it.

        Returns:
            What came of it, failures too.
        """
        begun = time.monotonic()
        self._delivery.runner.teach(self._delivery.combinations.model(self.teacher))
        found: list[TrialResult] = []
        for config in recipes(self._space, self.student):
            longest = max((result.seconds for result in found), default=0.0)
            if found and time.monotonic() - begun + longest > seconds_left:
                break
            found.append(self._trained(number + len(found), config, found))
        self._delivery.combinations.keep(found)
        return found

    def among(self, results: Sequence[TrialResult]) -> list[TrialResult]:
        """The results that may be delivered: single models on the student's backbone."""
        return [r for r in results if r.config.backbone == self.student and "members" not in r.facts]

    def words(self, winner: TrialResult, results: Sequence[TrialResult]) -> str:
        """What distillation gave, in a sentence.

        Args:
            winner: What is delivered.
            results: All results.
        """
        metric, teacher = self._delivery.evidence.metric, self.teacher
        taught, alone = self._best(results, taught=True), self._best(results, taught=False)
        of_teacher = f"{metric.own(teacher.score or 0.0):.3f} of its teacher, trial {teacher.number}"
        if winner.number == teacher.number and taught is not None:
            return (
                f"What learnt from trial {teacher.number} reaches {metric.name} {metric.own(taught):.3f} on "
                f"validation against {of_teacher}, which is on {self.student} itself and is delivered."
            )
        own, whole = (result.facts.get("parameters") or 0 for result in (winner, teacher))
        is_told = own and whole and own != whole
        size = f", with {100 * own / whole:.0f} % of its weights" if is_told else ""
        without = "" if alone is None else f", and {metric.own(alone):.3f} at best without a teacher"
        return (
            f"{winner.config.backbone} reaches {metric.name} {metric.own(winner.score or 0.0):.3f} on "
            f"validation against {of_teacher} ({teacher.config.backbone}){size}{without}."
        )

    def _best(self, results: Sequence[TrialResult], *, taught: bool) -> float | None:
        """The best score of the student with a teacher, or without one."""
        own = [r for r in self.among(results) if (r.config.strategy == STRATEGY) is taught]
        return max((r.score for r in own if r.score is not None and is_candidate(r)), default=None)

    def _trained(self, number: int, config: TrialConfig, earlier: Sequence[TrialResult]) -> TrialResult:
        """One recipe to its end, as in a search; where it fails, what it had reached counts."""
        self._tell(TrialStarted(number, config))
        backend = LocalBackend(self._delivery.runner)
        backend.start(number, config)
        (event,) = backend.poll()
        while isinstance(event, Stepped):
            self._tell(EpochDone(number, event.epoch))
            (event,) = backend.poll()
        assert isinstance(event, Ended)  # nothing here asks for a pause
        result = sound(event.result)
        scores = [r.score for r in [*earlier, result] if r.score is not None]
        self._tell(TrialFinished(result, max(scores, default=None)))
        return result


def recipes(space: SearchSpace, student: str) -> list[TrialConfig]:
    """The default recipe on a backbone, then that with other learning rates, each within the space."""
    default = space.default(student, STRATEGY)
    rates = [float(default.get("learning_rate")) * factor for factor in _RATES]
    configs = [space.complete(student, STRATEGY, {**default.params, "learning_rate": rate}) for rate in rates]
    return list({config.key: config for config in configs}.values())
