"""Random changes of prepared pixels, in batches, on whatever device they lie.

Geometry (flip, crop, rotation) is one affine sampling; colour and erasing follow in the "strong" recipe.
Random numbers are drawn on the generator's device, so one seed gives the same changes on CPU and CUDA when
the generator lies on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autotl.errors import SpaceError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    #: (shape, low, high) -> uniform random numbers on the device of the pixels.
    Uniform = Callable[[tuple[int, ...], float, float], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How far images are changed.

    Attributes:
        least_area: Smallest share of the area that a random crop keeps (Szegedy et al. 2015).
        stretch: Largest factor by which a crop's aspect is changed.
        degrees: Largest rotation.
        colour: Largest relative change of brightness, contrast and saturation.
        erased: Probability that a rectangle of 2 to 20 % is replaced by the mean (Zhong et al. 2017).
    """

    least_area: float
    stretch: float
    degrees: float = 0.0
    colour: float = 0.0
    erased: float = 0.0


RECIPES = {
    "light": Recipe(least_area=0.7, stretch=1.15),
    "strong": Recipe(least_area=0.35, stretch=4 / 3, degrees=15.0, colour=0.4, erased=0.25),
}


def augment_pixels(pixels: Tensor, strength: str, generator: torch.Generator) -> Tensor:
    """Randomly changed copies of images.

    Args:
        pixels: (B, S, S, 3), uint8 or floating point in [0, 255].
        strength: "none" (the pixels as they are), "light" (flip, mild crop) or "strong" (flip, crop,
            rotation, colour, erasing).
        generator: Where randomness comes from.

    Returns:
        Pixels of the same shape, type and device; values stay in [0, 255].

    Raises:
        SpaceError: Unknown strength.
    """
    import torch

    if strength == "none" or len(pixels) == 0:
        return pixels
    if strength not in RECIPES:
        known = ", ".join(["none", *RECIPES])
        raise SpaceError("unknown augmentation", found=repr(strength), expected=known)
    recipe = RECIPES[strength]

    def uniform(shape: tuple[int, ...], low: float, high: float) -> Tensor:
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        return (drawn * (high - low) + low).to(pixels.device)

    values = pixels.permute(0, 3, 1, 2).float()
    values = _move(values, recipe, uniform)
    if recipe.colour:
        values = _recolour(values, recipe.colour, uniform)
    if recipe.erased:
        values = _erase(values, recipe.erased, uniform)
    values = values.clamp(0, 255).permute(0, 2, 3, 1)
    if not pixels.dtype.is_floating_point:
        values = values.round()
    return values.to(pixels.dtype).contiguous()


def _move(values: Tensor, recipe: Recipe, uniform: Uniform) -> Tensor:
    """Flip half of the images, crop and rotate all, by one bilinear sampling (B, C, S, S)."""
    import torch
    from torch.nn import functional

    count = len(values)
    area = uniform((count,), recipe.least_area, 1.0)
    ratio = torch.exp(uniform((count,), -1.0, 1.0) * (math.log(recipe.stretch) / 2))
    across, down = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    flip = torch.where(uniform((count,), 0.0, 1.0) < 0.5, -1.0, 1.0)
    angle = torch.deg2rad(uniform((count,), -recipe.degrees, recipe.degrees))
    shift_x = uniform((count,), -1.0, 1.0) * (1 - across)
    shift_y = uniform((count,), -1.0, 1.0) * (1 - down)
    rows = [
        torch.stack([flip * across * angle.cos(), -down * angle.sin(), shift_x], dim=1),
        torch.stack([flip * across * angle.sin(), down * angle.cos(), shift_y], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(values.shape), align_corners=False)
    return functional.grid_sample(values, grid, padding_mode="reflection", align_corners=False)


def _recolour(values: Tensor, most: float, uniform: Uniform) -> Tensor:
    """Scale brightness, then contrast and saturation about the mean and the grey image."""
    import torch

    shape = (len(values), 1, 1, 1)
    weights = torch.tensor([0.299, 0.587, 0.114], device=values.device).view(1, 3, 1, 1)
    values = values * uniform(shape, 1 - most, 1 + most)
    centre = (values * weights).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    values = centre + (values - centre) * uniform(shape, 1 - most, 1 + most)
    grey = (values * weights).sum(dim=1, keepdim=True)
    return grey + (values - grey) * uniform(shape, 1 - most, 1 + most)


def _erase(values: Tensor, probability: float, uniform: Uniform) -> Tensor:
    """Replace a rectangle of some images by the image's mean colour."""
    import torch

    count, _, height, width = values.shape
    share = uniform((count,), 0.02, 0.2)
    ratio = torch.exp(uniform((count,), -0.5, 0.5))
    tall, wide = (share.sqrt() * ratio * height), (share.sqrt() / ratio * width)
    top = uniform((count,), 0.0, 1.0) * (height - tall)
    left = uniform((count,), 0.0, 1.0) * (width - wide)
    y = torch.arange(height, device=values.device)[None, :]
    x = torch.arange(width, device=values.device)[None, :]
    inside_y = (y >= top[:, None]) & (y < (top + tall)[:, None])
    inside_x = (x >= left[:, None]) & (x < (left + wide)[:, None])
    chosen = uniform((count, 1, 1), 0.0, 1.0) < probability
    mask = (inside_y[:, :, None] & inside_x[:, None, :] & chosen)[:, None]
    return torch.where(mask, values.mean(dim=(2, 3), keepdim=True), values)
