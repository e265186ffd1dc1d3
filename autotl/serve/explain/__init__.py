"""Why a model predicts what it does: which pieces of an input speak for it, and which training rows are near.

Everything is measured on the exported graph itself, by hiding pieces of raw inputs; no gradients, no torch.
"""

from autotl.serve.explain.explanation import Explanation
from autotl.serve.explain.occlude import explain

__all__ = ["Explanation", "explain"]
