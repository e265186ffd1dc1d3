"""How far a data set lies from what a backbone was pretrained on, measured on the backbone itself.

Networks with batch normalisation remember the statistics of their source data: those are compared with the
statistics that the new data cause. Text encoders carry a vocabulary: a text that falls to pieces in it is
unlike what the vocabulary was made from. Networks with neither are not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.profile.coverage import TextCoverage, text_coverage
from autotl.profile.profile import Shift
from autotl.profile.words import image_words, text_words

if TYPE_CHECKING:
    import torch
    from torch import nn

    from autotl.backbones.backbone import Backbone, Batch

#: Mean squared Hellinger distance over all layers. EfficientNet-Lite0, 128 images at 224 px: photos of trash
#: 0.03, CIFAR-10 0.08, hand signs 0.08, blood cells 0.10, grey steel 0.13, handwritten characters 0.15.
IMAGE_LEVELS = (0.09, 0.12)
#: Pieces a word, an unknown word counted letter by letter. English uncased WordPiece: six English sets 1.02
#: to 1.15, German tweets 1.64, German comments 1.89, Russian above 6.
TEXT_LEVELS = (1.3, 1.6)
#: Share of pieces outside the vocabulary from which texts are far whatever the rest looks like.
UNKNOWN_FAR = 0.05
_EPSILON = 1e-5


def measure_shift(
    backbone: Backbone,
    batches: Iterable[Batch] = (),
    *,
    items: Sequence[Any] = (),
    description: Mapping[str, Any] | None = None,
) -> Shift | None:
    """Shift of a data set from a backbone's source domain.

    Args:
        backbone: In eval mode; its weights and running statistics are not changed.
        batches: Network inputs of a sample, on the backbone's device; 64 images are enough. Read only where
            the network has batch normalisation.
        items: The same sample as raw texts; read only for backbones with a tokenizer.
        description: `Modality.describe` of the data, for the words.

    Returns:
        The shift, or None where the network offers no measure or the sample is empty.
    """
    facts = description or {}
    if _normalised_layers(backbone.module):
        distances = layer_distances(backbone, batches)
        return _image_shift(backbone, distances, facts) if distances else None
    tokenizer = backbone.assets().get("tokenizer.json")
    if tokenizer is None or len(items) == 0:
        return None
    return _text_shift(backbone, text_coverage(Path(tokenizer), items), facts)


def layer_distances(backbone: Backbone, batches: Iterable[Batch]) -> list[float]:
    """Distance between remembered and present input statistics of each batch normalisation, in order of use.

    For each channel the squared Hellinger distance, in [0, 1], between normal distributions with the running
    and the present mean and variance; the mean over channels. Symmetric, and bounded, so that one dead
    channel cannot decide. Empty where there is no batch.
    """
    import torch

    sums: dict[nn.Module, torch.Tensor] = {}
    layers = _normalised_layers(backbone.module)
    handles = [layer.register_forward_pre_hook(_collector(sums)) for layer in layers]
    try:
        with torch.inference_mode():
            for batch in batches:
                backbone.run(batch)
    finally:
        for handle in handles:
            handle.remove()
    return [_distance(layer, total) for layer, total in sums.items()]


def _normalised_layers(module: nn.Module) -> list[Any]:
    from torch.nn.modules.batchnorm import _BatchNorm

    found = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    return [layer for layer in found if layer.running_mean is not None]


def _collector(sums: dict[nn.Module, torch.Tensor]) -> Any:
    """A hook that adds up count, values and squares of each channel of a layer's input, (3, C) float64."""
    import torch

    def collect(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0]
        others = [axis for axis in range(values.ndim) if axis != 1]
        variance, mean = torch.var_mean(values.float(), dim=others, correction=0)
        mean, variance = mean.double(), variance.double()
        count = torch.full_like(mean, values.numel() // values.shape[1])
        part = torch.stack([count, mean * count, (variance + mean**2) * count])
        sums[layer] = sums[layer] + part if layer in sums else part

    return collect


def _distance(layer: Any, total: torch.Tensor) -> float:
    """Squared Hellinger distance of two normal distributions, mean over channels."""
    count, values, squares = total
    mean = values / count
    variance = (squares / count - mean**2).clamp(min=0) + _EPSILON
    source_mean = layer.running_mean.double()
    source_variance = layer.running_var.double() + _EPSILON
    both = variance + source_variance
    overlap = (2 * (variance * source_variance).sqrt() / both).sqrt()
    overlap = overlap * (-0.25 * (mean - source_mean) ** 2 / both).exp()
    return float((1 - overlap).mean())


def _image_shift(backbone: Backbone, distances: Sequence[float], facts: Mapping[str, Any]) -> Shift:
    value = sum(distances) / len(distances)
    level = _level(value, IMAGE_LEVELS)
    words = image_words(level, backbone.info.pretraining, distances, facts)
    return Shift(backbone.info.name, "batch_norm_distance", value, level, words)


def _text_shift(backbone: Backbone, coverage: TextCoverage, facts: Mapping[str, Any]) -> Shift:
    value = coverage.effective_pieces
    language = next(iter(facts.get("languages", {})), None)
    known = backbone.info.languages
    foreign = language is not None and bool(known) and "mul" not in known and language not in known
    alien = foreign or coverage.unknown_share >= UNKNOWN_FAR
    level = "far" if alien else _level(value, TEXT_LEVELS)
    words = text_words(level, coverage, language if foreign else None, known)
    return Shift(backbone.info.name, "tokenizer_coverage", value, level, words)


def _level(value: float, levels: tuple[float, float]) -> str:
    if value < levels[0]:
        return "near"
    return "moderate" if value < levels[1] else "far"
