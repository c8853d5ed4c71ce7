"""Bounded placements and the affine maps that they stand for (Tripathi et al., CVPR 2019: rotation, two shifts, shear,
two scales).

A raw placement is (N, 6) of any size; `bounded` squashes it to [-1, 1], where 0 is the middle of each range.
"""

import math

import torch
from torch import Tensor

from stages.compose.params import PlacementParams

PARAMETERS = ("rotate", "shear", "scale_x", "scale_y", "shift_x", "shift_y")


def bounded(raw: Tensor) -> Tensor:
    """(N, 6) of any size to (-1, 1). Smooth: a clamp would have no gradient at the bounds, where an adversary ends."""
    return torch.tanh(raw)


def random_placements(count: int, generator: torch.Generator) -> Tensor:
    """(count, 6) drawn evenly from the ranges. generator: on the CPU."""
    return torch.rand(count, len(PARAMETERS), generator=generator) * 2 - 1


def varied(params: PlacementParams) -> Tensor:
    """(6,) bool: which parameters have a range at all; the others place nothing, whatever a network says."""
    widths = [params.rotate, params.shear, *(end - start for start, end in (params.scale_x, params.scale_y))]
    return torch.tensor([*widths, params.shift, params.shift]) > 0


def boxes_of(alpha: Tensor, threshold: float = 0.5) -> Tensor:
    """(N, 4) left, top, right, bottom in pixels of where alpha (N, H, W) in [0, 1] reaches the threshold.

    From the image's upper left corner to the far edge of the last pixel; all 0 where nothing does.
    """
    there = alpha >= threshold
    sides = [_extent(there.any(dim=1)), _extent(there.any(dim=2))]
    return torch.stack([sides[0][0], sides[1][0], sides[0][1], sides[1][1]], dim=1)


def _extent(rows: Tensor) -> tuple[Tensor, Tensor]:
    first = rows.float().argmax(dim=1)
    last = rows.shape[1] - rows.flip(1).float().argmax(dim=1)
    some = rows.any(dim=1)
    return first.float() * some, last.float() * some


def linear_maps(placements: Tensor, params: PlacementParams) -> Tensor:
    """(N, 2, 2) from pixels of the cut-out to pixels of the composite: scale, then shear, then rotation."""
    angle = placements[:, 0] * math.radians(params.rotate)
    shear = placements[:, 1] * params.shear
    scale_x, scale_y = (_within(placements[:, i], r) for i, r in ((2, params.scale_x), (3, params.scale_y)))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    first = torch.stack([cosine * scale_x, (cosine * shear - sine) * scale_y], dim=1)
    second = torch.stack([sine * scale_x, (sine * shear + cosine) * scale_y], dim=1)
    return torch.stack([first, second], dim=1)


def _within(values: Tensor, ends: tuple[float, float]) -> Tensor:
    return (ends[0] + ends[1]) / 2 + values * (ends[1] - ends[0]) / 2


def centres(placements: Tensor, linear: Tensor, boxes: Tensor, size: tuple[int, int], shift: float) -> Tensor:
    """(N, 2) x, y in pixels of the composite where the middle of the object's box comes to lie.

    The half sides of the turned box bound the free range, so that the object stays in view; an object larger than the
    image is put in its middle. boxes: (N, 4) of the cut-outs. size: (height, width).
    """
    halves = (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = (linear.abs() * halves[:, None, :]).sum(dim=2)
    middle = linear.new_tensor([size[1] / 2, size[0] / 2])
    return middle + placements[:, 4:6] * shift * (middle - reach).clamp(min=0)


def placed_boxes(placements: Tensor, boxes: Tensor, size: tuple[int, int], params: PlacementParams) -> Tensor:
    """(N, 4) left, top, right, bottom in pixels of what the turned and scaled box of each object takes."""
    linear = linear_maps(placements, params)
    middle = centres(placements, linear, boxes, size, params.shift)
    reach = (linear.abs() * ((boxes[:, 2:] - boxes[:, :2]) / 2)[:, None, :]).sum(dim=2)
    return torch.cat([middle - reach, middle + reach], dim=1)


def affine_maps(placements: Tensor, boxes: Tensor, size: tuple[int, int], params: PlacementParams) -> Tensor:
    """(N, 2, 3) maps from composite to cut-out in coordinates from -1 to 1, as `stages.common.warp` takes them.

    placements: (N, 6) in [-1, 1]. boxes: (N, 4) of the objects in their canvases, which have the composite's size
    (height, width).
    """
    linear = linear_maps(placements, params)
    inverse = torch.linalg.inv(linear)
    sides = linear.new_tensor([size[1], size[0]])
    scaled = inverse * sides[None, None, :] / sides[None, :, None]
    source = (boxes[:, :2] + boxes[:, 2:]) / sides - 1
    target = 2 * centres(placements, linear, boxes, size, params.shift) / sides - 1
    offset = source - (scaled @ target[:, :, None])[:, :, 0]
    return torch.cat([scaled, offset[:, :, None]], dim=2)
