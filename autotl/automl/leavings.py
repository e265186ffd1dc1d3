"""`Leavings`: what a run leaves to look at beside its model, as far as there is time.

Training rows to show beside inputs, what cached features tell of the data, why the worst errors were made,
and the report. The model is there by now: whatever fails here is told, and fails nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from autotl.automl.cached_audit import CachedAudit, audit_cached, examined
from autotl.automl.delivery import Delivery, SeenRows
from autotl.automl.examples import write_examples
from autotl.automl.explanations import explained_errors
from autotl.automl.ledger import Ledger
from autotl.automl.settings import Settings
from autotl.config import TrialResult
from autotl.report import words
from autotl.report.html import REPORT, write_report
from autotl.search.events import Note
from autotl.search.local import guarded
from autotl.serve.predictor import Predictor


class Leavings:
    """Leaves it.

    Args:
        settings: What the user asked for.
        ledger: Records and tells.
        delivery: Holds data, splits and features.
    """

    def __init__(self, settings: Settings, ledger: Ledger, delivery: Delivery) -> None:
        self._settings, self._ledger, self._delivery = settings, ledger, delivery

    def remember(self, predictor: Predictor, winner: TrialResult) -> None:
        """Leave rows that the winner was fitted on, to be shown beside inputs that are like them."""
        until, seed = self._ledger.time.spare_deadline(is_measured=False), self._settings.seed
        error, count = guarded(
            lambda: write_examples(self._delivery, predictor, winner, seed=seed, until=until)
        )
        if error is not None:
            self._ledger.tell(Note(f"training rows cannot be shown beside new inputs: {error}", warning=True))
        self._ledger.record["examples"] = count or 0

    def audit(self, winner: TrialResult) -> None:
        """Add what cached features tell of the data to the findings; say what could not be looked for."""
        self._ledger.stages.begin("audit")
        error, found = guarded(lambda: self._audited(winner))
        if found is None:
            self._ledger.tell(Note(f"the data were not audited by features: {error}", warning=True))
            rows = len(self._delivery.runner.dataset)
            self._ledger.record["audit"] = examined(0, rows, reason=f"that failed ({error})")
            return
        self._ledger.record["audit"] = found.examined
        if found.examined["not_examined"]:
            self._ledger.show(Note(words.not_examined(found.examined)))
        for finding in found.findings:
            self._ledger.show(Note(finding.told, warning=finding.severity != "info"))
        self._ledger.record["findings"] += [finding.to_json() for finding in found.findings]

    def explain(self, predictor: Predictor, seen: SeenRows) -> dict[str, str]:
        """What the worst errors rest on, HTML by name of the row, as far as there is time to tell."""
        self._ledger.stages.begin("explain")
        until = self._ledger.time.spare_deadline(is_measured=True)
        error, found = guarded(lambda: explained_errors(self._delivery, predictor, seen, until=until))
        if error is not None:
            self._ledger.tell(Note(f"the report does not explain single errors: {error}", warning=True))
        return found or {}

    def report(self, explained: Mapping[str, str]) -> None:
        """Write the report; where that fails an earlier one, wrong by now, is removed."""
        folder = self._delivery.runner.folder
        error, _ = guarded(lambda: write_report(folder, self._delivery.preview(), explained))
        if error is not None:
            self._ledger.tell(Note(f"the report could not be written: {error}", warning=True))
            guarded(lambda: (folder.path / REPORT).unlink(missing_ok=True))

    def _audited(self, winner: TrialResult) -> CachedAudit:
        runner = self._delivery.runner
        config = self._delivery.combinations.members(winner)[0].config
        until = self._ledger.time.spare_deadline(is_measured=True)
        found = audit_cached(runner, config, self._settings.seed, until)
        if found.arrays:
            runner.folder.write_arrays("embedding.npz", **found.arrays)
        return found
