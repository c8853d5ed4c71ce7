"""Moved copies of labelled images."""

import torch
from torch import Tensor

from stages.common.affine import AffineParams
from stages.common.device import seeded
from stages.common.warp import random_affine, warp_images, warp_masks


def make_views(
    images: Tensor, masks: Tensor, copies: int, affine: AffineParams, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The images themselves, then `copies` moved versions of each.

    images (N, C, H, W), masks (N, H, W) -> the same for N * (1 + copies), and the row each came from (same length).
    """
    size = (images.shape[2], images.shape[3])
    parts = [(images, masks)]
    for copy in range(copies):
        maps = random_affine(len(images), size, affine, seeded(seed, 14, copy))
        parts.append((warp_images(images, maps), warp_masks(masks, maps)))
    source = torch.arange(len(images)).repeat(1 + copies)
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]), source
