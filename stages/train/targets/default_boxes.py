"""The default boxes of a single-shot detector (Liu et al., ECCV 2016): making, encoding, matching.

Boxes are left, top, right, bottom in pixels, 0, 0 being the image's upper left corner.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

FIRST_STRIDE = 4
CENTRE, SIDE = 0.1, 0.2  # usual deviations that offsets are divided by, so that all four have about the same size


def map_sizes(size: tuple[int, int], maps: int) -> list[tuple[int, int]]:
    """Height and width of the feature maps of images of `size`, finest first."""
    strides = [FIRST_STRIDE * 2**level for level in range(maps)]
    return [(math.ceil(size[0] / stride), math.ceil(size[1] / stride)) for stride in strides]


def default_boxes(size: tuple[int, int], scales: Sequence[float], aspects: Sequence[float]) -> Tensor:
    """(D, 4) boxes: of each feature map, row by row, of each place, one an aspect and a square one between this scale
    and the next (section 2.2 of the article).

    scales: one a map, shares of the shorter side; behind the last comes 1. aspects: width by height. Boxes may reach
    over the borders.
    """
    parts = []
    for level, (height, width) in enumerate(map_sizes(size, len(scales))):
        stride = FIRST_STRIDE * 2**level
        following = scales[level + 1] if level + 1 < len(scales) else 1.0
        shapes = _shapes(scales[level] * min(size), following * min(size), aspects)
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        centres = torch.stack([x, y], dim=2).reshape(-1, 1, 2) * stride
        parts.append(torch.cat([centres - shapes / 2, centres + shapes / 2], dim=2).reshape(-1, 4))
    return torch.cat(parts)


def _shapes(side: float, following: float, aspects: Sequence[float]) -> Tensor:
    """(A + 1, 2) widths and heights in pixels."""
    between = math.sqrt(side * following)
    rows = [(side * math.sqrt(aspect), side / math.sqrt(aspect)) for aspect in aspects]
    return torch.tensor([*rows, (between, between)])


def encode(boxes: Tensor, defaults: Tensor) -> Tensor:
    """(..., 4) offsets of boxes (..., 4) from default boxes: of the centre as shares of the default's sides, and the
    logarithms of the sides' ratios (equation 2 of the article), divided by their usual deviations."""
    centre, side = _centres(boxes)
    start, span = _centres(defaults)
    return torch.cat([(centre - start) / span / CENTRE, (side / span).log() / SIDE], dim=-1)


def decode(offsets: Tensor, defaults: Tensor) -> Tensor:
    """The boxes (..., 4) of offsets, by the inverse of `encode`."""
    start, span = _centres(defaults)
    centre = offsets[..., :2] * CENTRE * span + start
    side = (offsets[..., 2:] * SIDE).exp() * span
    return torch.cat([centre - side / 2, centre + side / 2], dim=-1)


def _centres(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def match(boxes: Tensor, there: Tensor, defaults: Tensor, threshold: float = 0.5) -> Tensor:
    """(N, D) which box of its image each default box stands for, -1 for the background.

    boxes: (N, M, 4). there: (N, M) bool, False for rows that are no box. First each box takes the default box that it
    overlaps most, the best pair first and no default box twice; then every other default box takes the box that it
    overlaps most, where that is by `threshold` (IoU) or more.
    """
    overlap = _overlaps(boxes, defaults).masked_fill(~there[:, :, None], -1.0)
    best, owner = overlap.max(dim=1)
    owner = torch.where(best >= threshold, owner, -1)
    rows = torch.arange(len(boxes), device=boxes.device)
    for _ in range(boxes.shape[1]):
        value, place = overlap.flatten(1).max(dim=1)
        box, default = place // len(defaults), place % len(defaults)
        owner[rows, default] = torch.where(value > 0, box, owner[rows, default])
        overlap[rows, box] = -1.0
        overlap[rows, :, default] = -1.0
    return owner


def _overlaps(boxes: Tensor, defaults: Tensor) -> Tensor:
    from torchvision.ops import box_iou

    return box_iou(boxes.reshape(-1, 4), defaults).reshape(*boxes.shape[:2], len(defaults))
