"""Between arrays on disk and tensors: images (N, C, H, W) float32 in [-1, 1], masks (N, H, W) uint8."""

import numpy as np
import torch
from torch import Tensor


def to_images(arrays: np.ndarray) -> Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(arrays)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def to_arrays(images: Tensor) -> np.ndarray:
    """(N, C, H, W) in [-1, 1] -> (N, H, W, C) uint8, clamped and rounded."""
    scaled = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
