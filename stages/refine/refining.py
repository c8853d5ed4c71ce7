"""Simulated images and their labels through a trained refiner."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.tensors import ImageBank, to_arrays
from stages.common.warp import sample_masks
from stages.refine.networks import Refiner
from stages.refine.warper import field_grid

GRAIN_STREAM = 61


def refined_with_fields(
    refiner: Refiner, images: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Images (N, C, H, W) in [-1, 1]: refined, only bent, and the field (N, 2, H, W) that bent them."""
    bent, field = refiner.bent(images, generator)
    return refiner(refiner.grained(bent, generator)), bent, field


@dataclass(frozen=True)
class Refined:
    """Refined images, and the simulated ones as bent, with the masks that belong to both.

    images, bent: N images as bytes, in the order of the simulated ones. masks: (N, H, W) uint8 or None.
    """

    images: ImageBank
    bent: ImageBank
    masks: np.ndarray | None


@torch.no_grad()
def refine_images(
    refiner: Refiner, simulated: ImageBank, masks: np.ndarray | None, seed: int, batch: int = 128
) -> Refined:
    """All simulated images refined. seed: of the noise of grain and bending, if there is any."""
    generator, found = seeded(seed, GRAIN_STREAM), []
    for start in range(0, len(simulated), batch):
        part = slice(start, start + batch)
        refined, bent, field = refined_with_fields(refiner, simulated[part], generator)
        labels = None if masks is None else bent_masks(masks[part], field)
        found.append((to_arrays(refined), to_arrays(bent), labels))
    images, bents = (ImageBank(np.concatenate([each[i] for each in found]), simulated.device) for i in (0, 1))
    return Refined(images, bents, None if masks is None else np.concatenate([each[2] for each in found]))


def bent_masks(masks: np.ndarray, field: Tensor | None) -> np.ndarray:
    """Masks (N, H, W) uint8 as the field (N, 2, H, W) bends their images."""
    if field is None:
        return masks
    return sample_masks(torch.from_numpy(masks), field_grid(field.cpu())).numpy()
