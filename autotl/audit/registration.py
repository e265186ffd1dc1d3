"""Whether two pictures show the same thing, turned, mirrored, cropped or relit.

The turn comes from the correlation of polar images, which is one product in the Fourier domain for all angles
(after Reddy and Chatterji 1996); an affine map is then fitted from there by Gauss-Newton on the correlation,
which brightness and contrast leave alone (after Evangelidis and Psarakis 2008). Details decide at last:
pictures of like things agree in the large, copies in the small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Edge in pixels of the thumbnails that are compared.
SIDE = 48
_CENTRE = (SIDE - 1) / 2
_RINGS, _ANGLES = 12, 48
_LEAST_RADIUS, _MOST_RADIUS = 2.0, 22.0
#: Radius of the disc that an affine map is fitted on: what a turn leaves in sight.
_DISC = 20.0
#: Blur in pixels of the thumbnails that are aligned first, and of the finer ones after them.
_SOFT, _SHARP = 2.0, 0.6
_STEPS = 6
#: Agreement of coarse pictures from which a pair is aligned finely, and the most that a map may stretch.
_PROMISING, _MOST_STRETCH = 0.75, 1.5
_BLOCK = 256
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Pictures:
    """Thumbnails in the forms that comparing them needs.

    Attributes:
        soft, sharp: (N, 48, 48, 3) float32: grey values, and their slopes across and down.
        spectra: (N, 12, 25) complex64, Fourier transforms of rings about the centre, normalised together.
    """

    soft: Array
    sharp: Array
    spectra: Array

    @classmethod
    def of(cls, pixels: Array) -> Pictures:
        """The forms of pictures (N, S, S, 3) uint8."""
        grey = thumbnails(pixels)
        return cls(_with_slopes(grey, _SOFT), _with_slopes(grey, _SHARP), _spectra(grey))

    def descriptors(self) -> Array:
        """(N, 300) float32: what of the rings no turn and no mirror changes."""
        magnitudes = np.abs(self.spectra).reshape(len(self.spectra), -1)
        return np.asarray(magnitudes, np.float32)


def thumbnails(pixels: Array) -> Array:
    """Grey thumbnails (N, 48, 48) float32 of pictures (N, S, S, 3) uint8."""
    from PIL import Image

    found = np.empty((len(pixels), SIDE, SIDE), np.float32)
    for row, picture in enumerate(pixels):
        grey = Image.fromarray(picture).convert("L")
        found[row] = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    return found


def turns(pictures: Pictures, left: Array, right: Array) -> tuple[Array, Array, Array]:
    """The turn, and mirror where that is better, that brings one picture of each pair onto the other.

    Args:
        pictures: N pictures.
        left: (P,) row numbers.
        right: (P,) row numbers.

    Returns:
        (P,) correlation of the rings, (P,) angle in radians, (P,) bool whether mirrored.
    """
    plain, mirrored = np.empty((2, len(left), _ANGLES), np.float32)
    for start in range(0, len(left), _BLOCK):
        some = slice(start, start + _BLOCK)
        one, other = pictures.spectra[left[some]], pictures.spectra[right[some]]
        plain[some] = np.fft.irfft((one.conj() * other).sum(axis=1), _ANGLES, axis=1)
        mirrored[some] = np.fft.irfft((one * other).sum(axis=1), _ANGLES, axis=1)
    is_mirrored = mirrored.max(axis=1) > plain.max(axis=1)
    best = np.where(is_mirrored[:, None], mirrored, plain)
    return best.max(axis=1), best.argmax(axis=1) * (2 * np.pi / _ANGLES), is_mirrored


def likeness(
    pictures: Pictures, left: Array, right: Array, angles: Array, mirrored: Array
) -> tuple[Array, Array]:
    """How well two pictures agree, -1 to 1, once one is laid upon the other.

    Args:
        pictures: N pictures.
        left: (P,) row numbers.
        right: (P,) row numbers.
        angles: (P,) where to begin, as of `turns`.
        mirrored: (P,) likewise.

    Returns:
        (P,) agreement of the details, 0 where they were not looked at; (P,) agreement in the large.
    """
    cos, sin = np.cos(angles), np.sin(angles)
    turned = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)
    turned[mirrored, 1] *= -1.0
    maps = np.concatenate([turned, np.zeros((len(left), 2, 1))], axis=2).astype(np.float32)
    fine, coarse = np.empty((2, len(left)), np.float32)
    for start in range(0, len(left), _BLOCK):
        some = slice(start, start + _BLOCK)
        fine[some], coarse[some] = _aligned(pictures, left[some], right[some], maps[some])
    return fine, coarse


def _with_slopes(grey: Array, blur: float) -> Array:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(grey, (0, blur, blur))
    down, across = np.gradient(smooth, axis=(1, 2))
    return np.stack([smooth, across, down], axis=3)


def _spectra(grey: Array) -> Array:
    radii = np.linspace(_LEAST_RADIUS, _MOST_RADIUS, _RINGS)[:, None]
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    x, y = (_CENTRE + radii * np.cos(angles)).ravel(), (_CENTRE + radii * np.sin(angles)).ravel()
    rows = np.arange(len(grey))
    rings = np.empty((len(grey), _RINGS * _ANGLES), np.float32)
    for start in range(0, len(grey), _BLOCK):
        some = rows[start : start + _BLOCK]
        place = (np.broadcast_to(line, (len(some), len(line))) for line in (x, y))
        rings[some] = _sampled(grey[..., None], some, *place)[..., 0]
    weights = np.repeat(radii[:, 0] / radii.sum() / _ANGLES, _ANGLES).astype(np.float32)
    rings -= (rings @ weights)[:, None]
    lengths = np.sqrt(np.square(rings) @ weights)[:, None]
    rings *= np.sqrt(weights) / np.maximum(lengths, _LEAST_DEVIATION)
    return np.fft.rfft(rings.reshape(-1, _RINGS, _ANGLES), axis=2).astype(np.complex64)


def _aligned(pictures: Pictures, left: Array, right: Array, maps: Array) -> tuple[Array, Array]:
    """Agreement of details, and in the large, once an affine map was fitted: coarsely, the best finely."""
    found = np.zeros(len(left), np.float32)
    maps, coarse = _fitted(pictures.soft, left, right, maps, _disc(3))
    rest = np.flatnonzero((coarse >= _PROMISING) & _is_plausible(maps))
    if not len(rest):
        return found, coarse
    left, right = left[rest], right[rest]
    maps, _ = _fitted(pictures.sharp, left, right, maps[rest], _disc(2))
    points, details = _disc(1), []
    for images in (pictures.soft, pictures.sharp):
        details.append((_moved(images, left, maps, points)[..., 0], _at(images, right, points)[..., 0]))
    (soft_one, soft_other), (one, other) = details
    whole = (_normalised(one) * _normalised(other)).mean(axis=1)
    fine = (_normalised(one - soft_one) * _normalised(other - soft_other)).mean(axis=1)
    found[rest] = np.where(_is_plausible(maps), np.minimum(whole, fine), 0.0)
    return found, coarse


def _fitted(images: Array, left: Array, right: Array, maps: Array, points: Array) -> tuple[Array, Array]:
    """Maps (P, 2, 3) after some steps from those given, and how well the pictures (P,) agree then."""
    goal = _normalised(_at(images, right, points)[..., 0])
    for _ in range(_STEPS):
        maps = maps + _step(images, left, goal, maps, points)
    moved = _normalised(_moved(images, left, maps, points)[..., 0])
    return maps, (moved * goal).mean(axis=1)


def _is_plausible(maps: Array) -> Array:
    """(P,) bool, whether maps stretch and squeeze no more than a crop or another aspect does."""
    stretch = np.linalg.svd(maps[:, :, :2], compute_uv=False)
    return np.asarray((stretch[:, 0] <= _MOST_STRETCH) & (stretch[:, 1] >= 1 / _MOST_STRETCH))


def _step(images: Array, left: Array, goal: Array, maps: Array, points: Array) -> Array:
    """The change of the maps (P, 2, 3) that brings the left pictures nearer to the goal (P, M)."""
    sampled = _moved(images, left, maps, points)
    value, slopes = sampled[..., 0], sampled[..., 1:]
    deviation = np.maximum(value.std(axis=1, keepdims=True), _LEAST_DEVIATION)
    error = goal - (value - value.mean(axis=1, keepdims=True)) / deviation
    along = np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)
    jacobian = (slopes[:, :, :, None] * along[None, :, None, :]).reshape(*value.shape, 6)
    jacobian = (jacobian - jacobian.mean(axis=1, keepdims=True)) / deviation[..., None]
    transposed = jacobian.transpose(0, 2, 1)
    normal = (transposed @ jacobian).astype(np.float64)
    damping = 1e-3 * np.einsum("pkk->p", normal)[:, None, None] / 6 + 1e-9
    change = np.linalg.solve(normal + damping * np.eye(6), (transposed @ error[..., None]).astype(np.float64))
    return np.asarray(change.reshape(-1, 2, 3).clip(-0.5, 0.5), np.float32)


def _disc(stride: int) -> Array:
    """Points (M, 2) about the centre, x and y, in a disc."""
    place = np.arange(0, SIDE, stride, dtype=np.float32) - _CENTRE
    x, y = np.meshgrid(place, place)
    inside = np.hypot(x, y) <= _DISC
    return np.stack([x[inside], y[inside]], axis=1)


def _moved(images: Array, rows: Array, maps: Array, points: Array) -> Array:
    """Pictures (P, M, C) at points that are moved by maps (P, 2, 3)."""
    place = points @ maps[:, :, :2].transpose(0, 2, 1) + (maps[:, None, :, 2] + np.float32(_CENTRE))
    return _sampled(images, rows, place[..., 0], place[..., 1])


def _at(images: Array, rows: Array, points: Array) -> Array:
    """Pictures (P, M, C) at points as they are."""
    x, y = (np.broadcast_to(points[:, i] + _CENTRE, (len(rows), len(points))) for i in (0, 1))
    return _sampled(images, rows, x, y)


def _sampled(images: Array, rows: Array, x: Array, y: Array) -> Array:
    """Values (P, M, C) of images (N, H, W, C) between their pixels; beyond the edge, those of the edge."""
    x, y = (place.astype(np.float32).clip(0, SIDE - 1.001) for place in (x, y))
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    right, below = (x - x0)[..., None], (y - y0)[..., None]
    flat = images.reshape(-1, images.shape[-1])
    corner = rows[:, None] * (SIDE * SIDE) + (y0 * SIDE + x0)
    corners = (flat.take(corner + step, axis=0) for step in (0, 1, SIDE, SIDE + 1))
    one, two, three, four = corners
    above = one + (two - one) * right
    return np.asarray(above + (three + (four - three) * right - above) * below)


def _normalised(values: Array) -> Array:
    """Rows (P, M) with mean 0 and deviation 1; rows without detail become 0."""
    centred = values - values.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    return np.where(deviation > _LEAST_DEVIATION, centred / np.maximum(deviation, _LEAST_DEVIATION), 0.0)
