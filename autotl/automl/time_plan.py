"""`TimePlan`: how a run divides its time between the search and what must follow it."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from autotl.config import TrialConfig
from autotl.search.budget import Budget

#: Shares of the time kept back for the final fit, at most, and for the control; the least a control is worth.
_REFIT_SHARE, _CONTROL_SHARE, _CONTROL_LEAST_SECONDS = 0.06, 0.08, 10.0
#: Rows, counted once an epoch, that the control is trained on where no time bounds it.
_CONTROL_ROWS = 2_000
#: Share kept back for export and test before either was measured, and at most.
_UNMEASURED_SHARE, _UNMEASURED_MOST_SECONDS = 0.12, 45.0
#: Measured times are multiplied by this; report and ranking take about so many seconds.
_MARGIN, _REPORT_SECONDS = 1.2, 4.0
#: Share kept back to measure size and latency of the graphs, and at most.
_MEASURE_SHARE, _MEASURE_MOST_SECONDS = 0.04, 15.0
#: Share that each thing may take, at most, that is nice to have at the end.
_SPARE_SHARE, _SPARE_MOST_SECONDS = 0.03, 15.0
#: Share kept back to score the ten-line baseline on the test part, at most.
_BASELINE_SHARE = 0.06
#: Share kept back for a smaller network to learn from the winner.
_DISTILL_SHARE = 0.3


class TimePlan:
    """Deadlines of the stages, on the monotonic clock; all infinite where only trials are counted.

    The order is search, choice, refit, export, control, test, report. Each stage may use what the ones before
    it have left; the control comes after the bundle, so that it never costs the deliverable.

    Args:
        seconds: Time of the whole run, None for no limit.
        trials: Number of trials, None for no limit.
        start: When the run began.
        distills: Whether a smaller network is to learn from the winner after the search.
    """

    def __init__(
        self, seconds: float | None, trials: int | None, start: float, *, distills: bool = False
    ) -> None:
        self.start = start
        self._total = math.inf if seconds is None else seconds
        share = 0.0 if seconds is None else seconds
        self._refit = self._refit_most = _REFIT_SHARE * share
        self._control = _CONTROL_SHARE * share
        self._export = min(_UNMEASURED_SHARE * share, _UNMEASURED_MOST_SECONDS)
        self._measure = min(_MEASURE_SHARE * share, _MEASURE_MOST_SECONDS)
        self._distill = _DISTILL_SHARE * share if distills else 0.0
        self._test = self._baseline = 0.0
        self._baseline_most = _BASELINE_SHARE * share
        self.budget = Budget(seconds, trials, start=start)
        self._keep_back()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.start

    def measured(self, export_seconds: float, test_seconds: float, baseline_seconds: float = 0.0) -> None:
        """Take over how long export and test, and the baseline on the test part, are now expected to take."""
        self._export, self._test = _MARGIN * export_seconds, _MARGIN * test_seconds
        self._baseline = min(_MARGIN * baseline_seconds, self._baseline_most)
        self._keep_back()

    def refit_takes(self, seconds: float) -> None:
        """Take over how long the final fit of a new best trial is expected to take.

        Nothing is kept back for one that is too long; what is kept for an earlier trial stays, as that may
        win by its final fit.
        """
        if _MARGIN * seconds <= self._refit_most:
            self._refit = _MARGIN * seconds
        elif self._refit == self._refit_most:  # no trial before it had one that is short enough
            self._refit = 0.0
        self._keep_back()

    def exported(self, test_seconds: float, *, is_measured: bool, baseline_seconds: float = 0.0) -> None:
        """Leave to the control what test and measurements do not need now that the winner is known.

        Args:
            test_seconds: How long the test of the winner is expected to take.
            is_measured: Whether the graphs of all trials are measured.
            baseline_seconds: How long the baseline is expected to take; 0 where the test of the winner gives
                all that it needs.
        """
        self._test = min(self._test, _MARGIN * test_seconds)
        self._baseline = min(_MARGIN * baseline_seconds, self._baseline_most)
        self._measure = 0.0 if is_measured else self._measure
        self._keep_back()

    def distill(self) -> float:
        """Give what was kept for distillation to training, which the search no longer needs.

        Returns:
            Seconds there are; none after an interrupt, when what was asked for is made, and no more.
        """
        self._distill = 0.0
        self._keep_back()
        return 0.0 if self.budget.cancelled else self.search_deadline() - time.monotonic()

    def search_deadline(self) -> float:
        """When the search must end."""
        return self.start + self._total - self.budget.reserve_seconds

    def allows_refit(self, seconds: float) -> bool:
        """Whether a final fit of so many seconds still leaves time for what follows.

        One within the share that was kept for it is made in any case: where the baseline over all rows has
        used that up, it would else be behind the same ten lines on training and validation rows.
        """
        if self.budget.cancelled:
            return False
        after = self._export + self._after_export()
        return seconds <= self._refit_most or self.elapsed + seconds + after <= self._total

    def control_deadline(self) -> float | None:
        """When the control must end; None where there is too little time for one, or the user interrupted."""
        if self.budget.cancelled:
            return None
        if math.isinf(self._total):
            return math.inf
        now = time.monotonic()
        own = max(self._control, _CONTROL_LEAST_SECONDS)
        seconds = min(own, self.start + self._total - self._after_export() - now)
        return now + seconds if seconds >= _CONTROL_LEAST_SECONDS else None

    def bounded(self, control: TrialConfig, rows: int) -> TrialConfig:
        """The control as it is run over so many training rows: without a limit of time in fewer epochs.

        It would else take many times as long as a search of a few trials, which it only stands beside.
        """
        if math.isfinite(self._total):
            return control
        epochs = max(1, min(control.epochs, _CONTROL_ROWS // max(rows, 1)))
        return replace(control, params={**control.params, "epochs": epochs})

    def choice_deadline(self) -> float:
        """When what prepares the choice must end; graphs measured for it need not be measured later."""
        now = time.monotonic()
        latest = self.start + self._total - self._distill - self._export - self._after_export()
        return max(now, min(now + self._measure, latest)) if not math.isinf(self._total) else math.inf

    def spare_deadline(self, *, is_measured: bool) -> float:
        """When what is nice to have at the end must end: nothing is kept back for it.

        Args:
            is_measured: Whether the graphs of the trials have been measured already.
        """
        if math.isinf(self._total):
            return time.monotonic() + _SPARE_MOST_SECONDS
        seconds = min(_SPARE_SHARE * self._total, _SPARE_MOST_SECONDS)
        after = _REPORT_SECONDS + (0.0 if is_measured else self._measure)
        return min(time.monotonic() + seconds, self.start + self._total - after)

    @property
    def lacking(self) -> str:
        """Why something was left out at the end."""
        return "the run was ended before it" if self.budget.cancelled else "no time was left for it"

    def baseline_deadline(self) -> float:
        """When scoring the baseline on the test part must end; it comes before measuring graphs."""
        return time.monotonic() if self.budget.cancelled else self.measure_deadline()

    def measure_deadline(self) -> float:
        """When measuring graphs must end."""
        return self.start + self._total - _REPORT_SECONDS

    def _after_export(self) -> float:
        return self._test + self._baseline + self._measure + _REPORT_SECONDS

    def _keep_back(self) -> None:
        if not math.isinf(self._total):
            after = self._export + self._after_export()
            self.budget.keep_back(self._distill + self._refit + self._control + after)
