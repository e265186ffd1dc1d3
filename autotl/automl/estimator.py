"""`AutoTL`: the engine as a scikit-learn style estimator."""

from __future__ import annotations

import inspect
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autotl.errors import RunError
from autotl.search.events import Listener

if TYPE_CHECKING:
    from autotl.config import TrialResult
    from autotl.leaderboard.leaderboard import Leaderboard
    from autotl.profile.profile import DatasetProfile
    from autotl.serve.predictor import Predictor
    from autotl.trial.run_folder import RunFolder


class AutoTL:
    """Finds the best deployable model that transfer learning can make of a data set within a budget.

    Args:
        time_budget: Wall-clock time from `fit` to the bundle written ("10m", "90s", seconds); None for no
            limit of time, with `trials`.
        trials: Number of trials. Without a time budget a run is repeatable: same trials, same scores.
        metric: Name of the metric to optimise; None chooses by task.
        task: "auto", "binary", "multiclass", "multilabel" or "regression".
        space: A TOML file that overrides or extends the search space.
        backbones: Names of the only backbones to use.
        license: "permissive" leaves out weights whose licence restricts use; "any" keeps them.
        max_latency_ms, max_size_mb, max_memory_mb: What the exported model may take: the median time of a
            prediction, its file, and a process that runs it, Python included. Backbones and input sizes that
            cannot meet them are left out before any training, and the winner meets them; all is measured in
            ONNX Runtime on this machine's CPU.
        latency_batch, latency_threads: For how many inputs together time and memory are limited, beside the
            time of one, which is always measured; and on how many threads, None for `threads`.
        target, group, text, image: Columns of a table.
        engine: "local" or "ray".
        ray_address: The Ray cluster to run on, "auto" or "HOST:PORT"; None starts Ray on this machine.
            `out` and the data must lie where all nodes see them, under the same path.
        trial_cpus, trial_gpus: What a trial reserves under Ray. A share of a GPU lets trials use it together;
            None means 1 GPU where this machine trains on one.
        scheduler: Who gets the next epoch: "gain", "fifo", "asha", "pasha", or a plug-in's; Ray has its own.
        device: "auto", "cpu", "cuda", ...
        threads: CPU threads.
        offline: Never touch a model hub.
        out: Run folder; None makes one under `runs/`.
        resume: Go on with the run in `out`.
        seed: Seed of splits, sampling and training.
        quality: "fast", "balanced" or "best": how much time is worth how much accuracy. But for "best", a
            model of a quarter of the cost (half of it for "fast") wins where it is as good within the noise.
        test_share, val_share: Shares split off where the source has no parts of its own.
        val, test: Paths of further official parts.
        cache_dir: Folder of the lock file of downloads, of what was measured on this machine, and of cached
            features, which later runs on the same inputs find there.
        cache_limit: How much of them may stay after the run ("5GB", bytes): what was used least recently goes
            first, 0 keeps nothing; None for 20 GiB, or a fifth of the free disk, whichever is less.
        experience: Learn from earlier runs on this machine, and leave this one to later ones; used only under
            a time budget, and holds no data. See `autotl.search.experience`.
        reference_rows: Let the bundle hold embeddings of some test rows, which `autotl monitor` compares new
            inputs with; without them it holds totals only, and less can be told.
        compress: "int8" ships an int8 graph where the validation score falls by at most 0.5 points and it
            predicts at least 1.2 times as fast here; "fp16" the like on an NVIDIA GPU. The bundle's card says
            what came of it.
        distill_to: Name of a backbone, a small one, that learns from the winner after the search and is
            delivered in its place; limits hold for it alone then.
        from_run: A finished run to go on from on new data: target, columns, task and metric are its own where
            they are not given, the recipe of its winner comes right after the baseline, also on the network
            that it fine-tuned, and in the end both models are compared on test rows that are new to both. The
            old run is not changed.
        mlflow: URI of an MLflow tracking server or store that the finished run is logged to, its trials as
            children; see `autotl.report.mlflow`.
        listener: Called with every event of `autotl.search.events`.
        verbose: Show a live table while `fit` runs in a notebook; elsewhere nothing is ever shown.

    Attributes:
        leaderboard_: All trials, ranked.
        profile_: What is known of the data.
        best_trial_: The winner's result.
        run_: The run folder.
        test_: The winner's score on the test part, with interval and baselines.
        predictor_: The exported winner.
        classes_: Class names in the order of `predict_proba`.
    """

    def __init__(
        self,
        *,
        time_budget: str | float | None = "10m",
        trials: int | None = None,
        metric: str | None = None,
        task: str = "auto",
        space: str | Path | None = None,
        backbones: str | list[str] | None = None,
        license: str = "any",
        max_latency_ms: float | None = None,
        max_size_mb: float | None = None,
        max_memory_mb: float | None = None,
        latency_batch: int = 1,
        latency_threads: int | None = None,
        target: str | None = None,
        group: str | None = None,
        text: str | list[str] | None = None,
        image: str | None = None,
        engine: str = "local",
        ray_address: str | None = None,
        trial_cpus: float = 1,
        trial_gpus: float | None = None,
        scheduler: str = "gain",
        device: str = "auto",
        threads: int | None = None,
        offline: bool = False,
        out: str | Path | None = None,
        resume: bool = False,
        seed: int = 0,
        quality: str = "balanced",
        test_share: float = 0.2,
        val_share: float = 0.2,
        val: str | Path | None = None,
        test: str | Path | None = None,
        cache_dir: str | Path | None = None,
        cache_limit: str | int | None = None,
        experience: bool = True,
        reference_rows: bool = True,
        compress: str = "none",
        distill_to: str | None = None,
        mlflow: str | None = None,
        from_run: str | Path | None = None,
        listener: Listener | None = None,
        verbose: bool = True,
    ) -> None:
        for name, value in list(locals().items()):
            if name != "self":
                setattr(self, name, value)

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, as given."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters.

        Raises:
            ValueError: A name is unknown.
        """
        known = self._parameter_names()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"unknown parameter {name!r}; expected one of {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if v != defaults[k].default]
        return f"AutoTL({', '.join(changed)})"

    def _repr_html_(self) -> str | None:
        """The fitted model for a notebook; None, so that the text is shown, before `fit`."""
        if not hasattr(self, "predictor_"):
            return None
        from autotl.automl.notebook import fitted_html

        verdict = self.test_.get("verdict", ())
        return fitted_html(self.run_.path, verdict, self.leaderboard_.metric, self.leaderboard_.rows)

    def fit(self, data: Any, labels: Any = None) -> Self:
        """Search, choose, export.

        Args:
            data: A path, a pandas, polars or Arrow table, or a list of images or texts.
            labels: Labels of a list.

        Raises:
            DataError: The data cannot be used.
            SearchError: No trial could be finished.
        """
        start = time.monotonic()  # before the slow imports: they count against the budget
        from autotl.automl.fit import Fit
        from autotl.automl.notebook import shown_in_notebook
        from autotl.automl.settings import Settings
        from autotl.trial.run_folder import new_folder

        settings = Settings.of(self.get_params())
        with ExitStack() as stack:
            if self.out is None:  # type: ignore[attr-defined]
                settings = replace(settings, out=stack.enter_context(new_folder(settings.out)))
            notebook = shown_in_notebook(self.listener, self.verbose)  # type: ignore[attr-defined]
            listener = stack.enter_context(notebook)
            outcome = Fit(settings, listener, start).run(data, labels)
        self.leaderboard_: Leaderboard = outcome.leaderboard
        self.profile_: DatasetProfile = outcome.profile
        self.best_trial_: TrialResult = outcome.winner
        self.run_: RunFolder = outcome.folder
        self.test_: dict[str, Any] = outcome.test
        self.predictor_: Predictor = outcome.predictor
        self.classes_ = np.array(outcome.profile.task["classes"])
        return self

    def predict(self, items: Any) -> NDArray[Any]:
        """Predicted labels (N,), label indicators (N, K) for multilabel, or values (N,)."""
        from autotl.task import TaskKind

        predictor = self._predictor()
        outputs = predictor.predict_proba(items)
        decided = predictor.task.decide(outputs)
        if predictor.task.kind is TaskKind.MULTILABEL:
            return decided.astype(np.int64)
        return np.asarray(self.classes_[decided] if predictor.task.is_classification else decided)

    def predict_proba(self, items: Any) -> NDArray[Any]:
        """Probabilities (N, K) in the order of `classes_`."""
        return np.asarray(self._predictor().predict_proba(items))

    def score(self, items: Any, labels: Any = None) -> float:
        """The metric's own value on labelled data: items and labels, or a data set that `fit` would take."""
        from autotl.automl.deliver import evaluate

        target: str | None = self.target  # type: ignore[attr-defined]
        return float(evaluate(self._bundle(), items, labels=labels, target=target)["score"])

    def export(self, path: str | Path) -> Path:
        """Copy the bundle of the winner to `path`, which must not exist or be empty."""
        from autotl.export.bundle import copy_bundle

        return copy_bundle(self._bundle(), Path(path))

    def _bundle(self) -> Path:
        self._predictor()
        return self.run_.bundle

    def _predictor(self) -> Predictor:
        if not hasattr(self, "predictor_"):
            raise RunError("this AutoTL is not fitted yet", hint="Call fit(data) first.")
        return self.predictor_
