"""The fixed pictures of a GAN run: reals, fakes from the same latents at each step."""

from pathlib import Path

import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.pictures import grid, save_png
from stages.common.tensors import to_arrays
from stages.pretrain.generator import Generator

COLUMNS = 16
PICTURED = 8 * COLUMNS
LARGEST_BATCH, BATCH_PIXELS = 64, 64 * 256 * 256


def picture_scale(size: tuple[int, int]) -> int:
    """How often a pixel repeats, so that small images can be looked at."""
    return max(1, 64 // max(size))


@torch.no_grad()
def sample_images(generator: Generator, count: int, psi: float, seed: int) -> Tensor:
    """(count, C, H, W) on the CPU from latents that depend on the seed alone."""
    z = torch.randn(count, generator.z_dim, generator=seeded(seed, 3))
    device, (height, width) = generator.device, generator.size
    batch = min(LARGEST_BATCH, max(1, BATCH_PIXELS // (height * width)))
    return torch.cat([generator(part.to(device), psi).cpu() for part in z.split(batch)])


def draw_reals(path: Path, images: Tensor) -> Path:
    """These images, as they are."""
    return save_png(path, grid(to_arrays(images), COLUMNS, scale=picture_scale(_size(images))))


def draw_fakes(path: Path, generator: Generator, psi: float, seed: int) -> Path:
    """The same latents at every call with this seed."""
    fakes = sample_images(generator, PICTURED, psi, seed)
    return save_png(path, grid(to_arrays(fakes), COLUMNS, scale=picture_scale(_size(fakes))))


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[2], images.shape[3]
