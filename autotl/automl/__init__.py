"""Wires the stages together: the estimator, and what the command line asks for. Holds no logic of theirs.

Names are imported when first used, so that `from autotl import AutoTL` does not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autotl.automl.audit import audit_data
    from autotl.automl.deliver import evaluate, verify
    from autotl.automl.estimator import AutoTL
    from autotl.automl.export import export_as, export_trial
    from autotl.automl.inspect import profile_data, space_for
    from autotl.report.mlflow import log_run

__all__ = [
    "AutoTL",
    "audit_data",
    "evaluate",
    "export_as",
    "export_trial",
    "log_run",
    "profile_data",
    "space_for",
    "verify",
]
_HOMES = {
    "AutoTL": "autotl.automl.estimator",
    "audit_data": "autotl.automl.audit",
    "evaluate": "autotl.automl.deliver",
    "export_as": "autotl.automl.export",
    "export_trial": "autotl.automl.export",
    "log_run": "autotl.report.mlflow",
    "profile_data": "autotl.automl.inspect",
    "space_for": "autotl.automl.inspect",
    "verify": "autotl.automl.deliver",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
