"""Moved copies of labelled images."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from stages.common.affine import AffineParams
from stages.common.device import seeded
from stages.common.warp import random_affine, warp_depth, warp_images, warp_keypoints, warp_masks

Labels = Mapping[str, Tensor]
"""Of N images, by the names that `stages.common.samples.Sample` gives them: mask (N, H, W), keypoints (N, K, 3), depth
(N, H, W), class_id (N,)."""


def make_views(
    images: Tensor, labels: Labels, copies: int, affine: AffineParams, seed: int
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """The images themselves, then `copies` moved versions of each.

    images (N, C, H, W) and N labels -> the same for N * (1 + copies), and the row each came from (same length).
    """
    size = (images.shape[2], images.shape[3])
    parts = [(images, dict(labels))]
    for copy in range(copies):
        maps = random_affine(len(images), size, affine, seeded(seed, 14, copy))
        parts.append((warp_images(images, maps), warped_labels(labels, maps, size)))
    source = torch.arange(len(images)).repeat(1 + copies)
    moved = {name: torch.cat([part[name] for _, part in parts]) for name in labels}
    return torch.cat([part for part, _ in parts]), moved, source


def warped_labels(labels: Labels, maps: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
    """Labels of images that were sampled through (N, 2, 3) maps, which do not mirror."""
    warps: dict[str, Callable[[Tensor], Tensor]] = {
        "mask": lambda masks: warp_masks(masks, maps),
        "keypoints": lambda keypoints: warp_keypoints(keypoints, maps, size),
        "depth": lambda depth: warp_depth(depth, maps),
        "class_id": lambda class_ids: class_ids,
    }
    return {name: warps[name](values) for name, values in labels.items()}
