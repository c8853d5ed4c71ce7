"""Between arrays on disk and tensors: images (N, C, H, W) float32 in [-1, 1], masks (N, H, W) uint8."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class ImageBank:
    """Many images, kept as bytes in main memory; those that are asked for go to the device as floats.

    arrays: (N, H, W, C) uint8. As floats, 70,000 images of 256x256 would take 55 GB of a GPU.
    """

    arrays: np.ndarray
    device: torch.device

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.arrays.shape[1], self.arrays.shape[2]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.arrays.shape[3]

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """index (N,), on the CPU, or a slice -> (N, C, H, W) float32 in [-1, 1], on the device."""
        rows = index if isinstance(index, slice) else index.numpy()
        return to_images(self.arrays[rows]).to(self.device)
