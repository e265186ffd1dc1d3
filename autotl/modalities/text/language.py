"""Which languages a sample of texts is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from autotl.errors import MissingExtraError
from autotl.versions import install_command

#: Characters of a text that are looked at: enough to be sure, and bounded.
_LOOKED_AT = 1000
#: Labels that are no language: "no linguistic content".
_NOT_A_LANGUAGE = frozenset({"zxx", "und"})


def languages(texts: Sequence[str], *, least_share: float = 0.02) -> dict[str, float]:
    """Shares of languages by ISO 639 code, largest first, by amount of confidently identified text.

    A naive Bayes classifier over byte n-grams names one of 140 languages (langid.py; Lui and Baldwin 2012).
    Each text votes with its length times the probability of its language: short doubtful ones weigh little.

    Args:
        texts: A sample.
        least_share: Languages with a smaller share are left out as noise.

    Raises:
        MissingExtraError: `py3langid` is not installed.
    """
    votes: defaultdict[str, float] = defaultdict(float)
    for text in texts:
        cut = text[:_LOOKED_AT].strip()
        if any(letter.isalpha() for letter in cut):
            code, probability = _identifier().classify(cut)
            if code not in _NOT_A_LANGUAGE:
                votes[code] += len(cut) * float(probability)
    total = sum(votes.values())
    ranked = sorted(votes.items(), key=lambda pair: -pair[1])
    return {code: vote / total for code, vote in ranked if vote / total >= least_share}


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import (
            MODEL_FILE,
            LanguageIdentifier,
        )
    except ImportError as error:
        raise MissingExtraError(
            "the language of texts cannot be told",
            found="no package py3langid",
            hint=f"Install it: {install_command('train')}",
        ) from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
