"""Simulated images and their labels through a trained refiner."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.tensors import ImageBank, to_arrays
from stages.common.warp import in_frame, sample_depth, sample_images, sample_masks
from stages.refine.networks import Refiner
from stages.refine.warper import field_grid

GRAIN_STREAM = 61
SOLVE_STEPS = 12


def refined_with_fields(
    refiner: Refiner, images: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Images (N, C, H, W) in [-1, 1]: refined, only bent, and the field (N, 2, H, W) that bent them."""
    bent, field = refiner.bent(images, generator)
    return refiner(refiner.grained(bent, generator)), bent, field


@dataclass(frozen=True)
class Refined:
    """Refined images, and the simulated ones as bent, with the masks that belong to both.

    images, bent: N images as bytes, in the order of the simulated ones. masks: (N, H, W) uint8, keypoints: (N, K, 3),
    depth: (N, H, W) float32, or None.
    """

    images: ImageBank
    bent: ImageBank
    masks: np.ndarray | None
    keypoints: np.ndarray | None = None
    depth: np.ndarray | None = None


@torch.no_grad()
def refine_images(
    refiner: Refiner,
    simulated: ImageBank,
    masks: np.ndarray | None,
    seed: int,
    batch: int = 128,
    keypoints: np.ndarray | None = None,
    depth: np.ndarray | None = None,
) -> Refined:
    """All simulated images refined, and their labels bent with them. seed: of the noise of grain and bending, if there
    is any."""
    generator = seeded(seed, GRAIN_STREAM)
    found: list[tuple[np.ndarray, np.ndarray, list[np.ndarray | None]]] = []
    benders = ((masks, bent_masks), (keypoints, bent_keypoints), (depth, bent_depth))
    for start in range(0, len(simulated), batch):
        part = slice(start, start + batch)
        refined, bent, field = refined_with_fields(refiner, simulated[part], generator)
        labels = [None if values is None else bend(values[part], field) for values, bend in benders]
        found.append((to_arrays(refined), to_arrays(bent), labels))
    images, bents = (ImageBank(np.concatenate([each[i] for each in found]), simulated.device) for i in (0, 1))
    parts = list(zip(*(labels for _, _, labels in found), strict=True))
    return Refined(images, bents, *(None if kind[0] is None else np.concatenate(kind) for kind in parts))


def bent_masks(masks: np.ndarray, field: Tensor | None) -> np.ndarray:
    """Masks (N, H, W) uint8 as the field (N, 2, H, W) bends their images."""
    if field is None:
        return masks
    return sample_masks(torch.from_numpy(masks), field_grid(field.cpu())).numpy()


def bent_depth(depth: np.ndarray, field: Tensor | None) -> np.ndarray:
    """Depth (N, H, W) float32 as the field (N, 2, H, W) bends its images."""
    if field is None:
        return depth
    return sample_depth(torch.from_numpy(depth), field_grid(field.cpu())).numpy()


def bent_keypoints(keypoints: np.ndarray, field: Tensor | None) -> np.ndarray:
    """Keypoints (N, K, 3) float32 as the field (N, 2, H, W) bends their images; unknown where they leave these.

    A pixel p of the bent image comes from p + field(p), so the place of a keypoint k solves p = k - field(p), which is
    iterated: fields are smooth enough for that to contract.
    """
    if field is None:
        return keypoints
    known, size = torch.from_numpy(keypoints), (field.shape[2], field.shape[3])
    sides = torch.tensor([size[1], size[0]])
    places = known[:, :, :2]
    for _ in range(SOLVE_STEPS):
        grid = ((2 * places + 1) / sides - 1)[:, :, None]
        places = known[:, :, :2] - sample_images(field.cpu(), grid)[..., 0].transpose(1, 2)
    return torch.cat([places, (known[:, :, 2] * in_frame(places, size))[:, :, None]], dim=2).numpy()
