"""What is expected of configurations that nobody tried."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from autotl.backbones.catalogue import space_files
from autotl.config import TrialConfig
from autotl.search.lessons import read_lessons
from autotl.search.surrogate import Surrogate, _kernel, surrogate
from autotl.space.space import SearchSpace


def config(rate, strategy="full", backbone="net", **params):
    return TrialConfig(backbone, strategy, {"learning_rate": rate, **params})


RATES = np.geomspace(1e-5, 1e-2, 13)
KNOWN = [config(float(rate)) for rate in RATES]
SCORES = 0.9 - 0.05 * np.log10(RATES / 3e-4) ** 2


def test_known_values_are_met_and_uncertainty_grows_away_from_them():
    far = config(1e-3, "lora", "other")
    mean, deviation = Surrogate(KNOWN, [KNOWN[6], config(1.2e-3), far]).predict(SCORES, 1e-3)
    assert mean[0] == pytest.approx(SCORES[6], abs=5e-3)
    assert mean[1] == pytest.approx(0.9 - 0.05 * np.log10(4) ** 2, abs=0.02)
    assert deviation[0] < deviation[1] < deviation[2]


def test_configurations_that_have_more_in_common_tell_more_of_each_other():
    known = [config(1e-3), config(1e-3, "lora"), config(1e-3, "top_k", "other")]
    asked = [config(1e-3), config(1e-2), config(1e-2, backbone="third"), config(1e-2, "norm_bias", "third")]
    mean, _ = Surrogate(known, asked).predict([0.9, 0.5, 0.5], 1e-3)
    assert (np.diff(mean) < 0).all()


def test_rates_are_compared_by_their_logarithms():
    known = [config(1e-5), config(1e-2)]
    mean, _ = Surrogate(known, [config(3e-4), config(5e-3)]).predict([0.5, 0.9], 1e-3)
    assert mean[0] == pytest.approx(0.7, abs=0.02)
    assert mean[1] > 0.85


def test_what_lacks_a_parameter_lies_in_its_middle():
    known = [config(1e-3, mixup=0.0), config(1e-3, mixup=0.4), config(1e-3)]
    mean, _ = Surrogate(known[:2], [known[2]]).predict([0.9, 0.5], 1e-3)
    assert mean[0] == pytest.approx(0.7, abs=1e-6)
    mean, _ = Surrogate(known[2:], known[:2]).predict([0.9], 1e-3)
    assert mean[0] == mean[1]


@pytest.mark.parametrize("modality", ["image", "text"])
def test_the_kernel_of_a_whole_space_is_a_covariance(modality):
    space = SearchSpace.from_toml(space_files()[modality])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [space.suggest(study.ask()) for _ in range(300)]
    assert np.linalg.eigvalsh(_kernel(drawn)).min() > -1e-9
    taught = [lesson.config for lesson in read_lessons(space_files()[modality].with_suffix(".jsonl"))]
    scores = np.linspace(0, 1, len(taught))
    mean, deviation = Surrogate(drawn[:128], drawn[128:], taught).predict(np.linspace(0, 1, 128), 0.0, scores)
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()


def test_other_data_sets_teach_the_shape_and_this_one_the_level():
    seen = [config(1e-5)]
    asked = [config(float(rate)) for rate in RATES]
    taught = (SCORES - SCORES.mean()) / SCORES.std()
    alone, _ = Surrogate(seen, asked).predict([0.4], 1e-3)
    mean, deviation = Surrogate(seen, asked, KNOWN).predict([0.4], 1e-3, taught, 0.1)
    assert np.ptp(alone) < 0.01
    assert RATES[mean.argmax()] == pytest.approx(3e-4, rel=1)
    assert mean[0] == pytest.approx(0.4, abs=0.02)
    assert 0.05 < mean.max() - mean[0] < 0.4
    assert (deviation > 0).all()


def test_what_was_measured_here_outweighs_other_data_sets():
    taught = np.linspace(-1.5, 1.5, len(RATES))
    mean, _ = Surrogate(KNOWN, KNOWN, KNOWN).predict(SCORES[::-1], 1e-3, taught, 0.1)
    assert np.corrcoef(mean, SCORES[::-1])[0, 1] > 0.99


def test_the_same_configurations_share_one_surrogate():
    assert surrogate(tuple(KNOWN), tuple(KNOWN[:2])) is surrogate(tuple(KNOWN), tuple(KNOWN[:2]))
    assert surrogate(tuple(KNOWN), tuple(KNOWN[:2])) is not surrogate(tuple(KNOWN), tuple(KNOWN[:3]))


def test_hundreds_of_trials_are_expected_within_milliseconds():
    many = [config(float(r), backbone=b, epochs=e) for r in RATES for b in "abcde" for e in range(10)]
    mean, _ = Surrogate(many, many[:32], many).predict(np.linspace(0, 1, len(many)), 0.01, np.ones(len(many)))
    assert mean.shape == (32,)
