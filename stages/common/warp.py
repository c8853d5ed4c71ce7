"""Random affine maps, applied to images and their masks alike.

A map is a (2, 3) matrix from output to input coordinates, both from -1 to 1 across the image, as
`torch.nn.functional.affine_grid` takes it.
"""

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from stages.common.params import Params

# Outside of the frame an image and its mask both go on with their border pixels: no pixel gets the label of another.
PADDING = "border"


class AffineParams(Params):
    """Ranges of random affine maps; each is drawn evenly from minus to plus its value."""

    rotate: float = Field(10.0, ge=0, le=180)  # degrees
    scale: float = Field(0.1, ge=0, lt=1)  # zoom by up to 1 + scale, or its inverse
    shear: float = Field(5.0, ge=0, lt=60)  # degrees
    shift: float = Field(0.05, ge=0, le=1)  # share of the side
    flip: bool = False  # mirror left to right, half of the time


def random_affine(count: int, size: tuple[int, int], params: AffineParams, generator: torch.Generator) -> Tensor:
    """(count, 2, 3) maps: rotation, zoom, shear, mirror, shift, without distortion on images that are not square."""
    draws = torch.rand((count, 6), generator=generator) * 2 - 1
    angle = draws[:, 0] * math.radians(params.rotate)
    zoom = torch.exp(draws[:, 1] * math.log1p(params.scale))
    shear = torch.tan(draws[:, 2] * math.radians(params.shear))
    mirror = torch.where((draws[:, 3] < 0) & params.flip, -1.0, 1.0)
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    aspect = size[0] / size[1]
    first = torch.stack([cosine * mirror, (cosine * shear - sine) * aspect], dim=1)
    second = torch.stack([sine * mirror / aspect, sine * shear + cosine], dim=1)
    shift = draws[:, 4:6] * 2 * params.shift
    return torch.cat([torch.stack([first, second], dim=1), shift[:, :, None]], dim=2)


def warp_images(images: Tensor, maps: Tensor) -> Tensor:
    """Images (N, C, H, W) sampled bilinearly through (N, 2, 3) maps."""
    return F.grid_sample(images, _grid(images, maps), "bilinear", PADDING, align_corners=False)


def warp_masks(masks: Tensor, maps: Tensor) -> Tensor:
    """Masks (N, H, W) of ids, each output pixel the id of its nearest input pixel."""
    values = masks[:, None].float()
    return F.grid_sample(values, _grid(values, maps), "nearest", PADDING, align_corners=False)[:, 0].to(masks.dtype)


def _grid(images: Tensor, maps: Tensor) -> Tensor:
    return F.affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
