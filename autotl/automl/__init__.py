"""Wires the stages together: the estimator, and what the command line asks for. Holds no logic of theirs."""

from autotl.automl.deliver import evaluate, export_trial
from autotl.automl.estimator import AutoTL
from autotl.automl.inspect import profile_data, space_for

__all__ = ["AutoTL", "evaluate", "export_trial", "profile_data", "space_for"]
