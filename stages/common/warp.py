"""Random affine maps, applied alike to images, their masks and points on them.

A map is a (2, 3) matrix from output to input coordinates, both from -1 to 1 across the image, as
`torch.nn.functional.affine_grid` takes it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.affine import AffineParams

# Outside of the frame an image and its mask both go on with their border pixels: no pixel gets the label of another.
PADDING = "border"


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
    return sample_images(images, _grid(images, maps))


def sample_images(images: Tensor, grid: Tensor) -> Tensor:
    """Images (N, C, H, W) sampled bilinearly at places (N, H, W, 2) from -1 to 1."""
    return F.grid_sample(images, grid, "bilinear", PADDING, align_corners=False)


def warp_masks(masks: Tensor, maps: Tensor) -> Tensor:
    """Masks (N, H, W) of ids through (N, 2, 3) maps: each output pixel gets the id that covers most of it.

    Nearest sampling would leave borders up to half a pixel beside those of the bilinearly sampled image, which matters
    for thin structures such as strokes three pixels wide.
    """
    return sample_masks(masks, _grid(masks[:, None], maps))


def sample_masks(masks: Tensor, grid: Tensor) -> Tensor:
    """Masks (N, H, W) of ids at places (N, H, W, 2) from -1 to 1, as `warp_masks` does it."""
    best = torch.zeros(masks.shape, device=masks.device)
    result = masks.clone()
    for index in masks.unique():
        share = F.grid_sample((masks[:, None] == index).float(), grid, "bilinear", PADDING, align_corners=False)[:, 0]
        result = torch.where(share > best, index, result)
        best = torch.maximum(best, share)
    return result


def warp_points(points: Tensor, maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Points (N, K, 2) to where they lie in images that were sampled through (N, 2, 3) maps.

    x, y in pixels of images of `size` (height, width); 0, 0 is the middle of the first pixel. Points may leave the
    image.
    """
    maps = maps.to(points.device)
    sides = points.new_tensor([size[1], size[0]])
    moved = (2 * points + 1) / sides - 1 - maps[:, None, :, 2]
    # A map leads from output to input, and a point of the input is looked for in the output.
    found: Tensor = torch.linalg.solve(maps[:, :, :2], moved.transpose(1, 2)).transpose(1, 2)
    return ((found + 1) * sides - 1) / 2


def warp_keypoints(keypoints: Tensor, maps: Tensor, size: tuple[int, int], flip: Sequence[int] = ()) -> Tensor:
    """Keypoints (N, K, 3), x, y and visibility, of images that were sampled through (N, 2, 3) maps.

    Those that leave the image become unknown (0). Where a map mirrors, each takes the place that `flip` says.
    """
    if flip:
        mirrored = (torch.linalg.det(maps[:, :, :2]) < 0).to(keypoints.device)
        keypoints = torch.where(mirrored[:, None, None], keypoints[:, list(flip)], keypoints)
    places = warp_points(keypoints[:, :, :2], maps, size)
    return torch.cat([places, (keypoints[:, :, 2] * in_frame(places, size))[:, :, None]], dim=2)


def warp_depth(depth: Tensor, maps: Tensor) -> Tensor:
    """Depth (N, H, W), 0 = unknown, of images that were sampled through (N, 2, 3) maps."""
    return sample_depth(depth, _grid(depth[:, None], maps))


def sample_depth(depth: Tensor, grid: Tensor) -> Tensor:
    """Depth (N, H, W) at places (N, H, W, 2) from -1 to 1: bilinear between known pixels, unknown where these cover
    less than half of what a pixel takes from."""
    known = (depth > 0).float()
    pairs = torch.stack([depth * known, known], dim=1)
    total, share = F.grid_sample(pairs, grid.to(pairs), "bilinear", PADDING, align_corners=False).unbind(dim=1)
    return torch.where(share >= 0.5, total / share.clamp(min=0.5), 0.0)


def in_frame(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether points (..., 2), x, y as `warp_points` has them, lie on a pixel of images of `size`: (...) bool."""
    limits = points.new_tensor([size[1], size[0]]) - 0.5
    return ((points >= -0.5) & (points <= limits)).all(dim=-1)


def _grid(images: Tensor, maps: Tensor) -> Tensor:
    return F.affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
