"""Which pixels the ensemble trains on, and their feature vectors, without ever building a hypercolumn."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from skimage.measure import label as connected_regions
from torch import Tensor

from stages.common.spec import IGNORE
from stages.label.features import label_features
from stages.label.heads import Head, label_size
from stages.pretrain.generator import Generator


@dataclass(frozen=True)
class PixelBank:
    """Training pixels: features (P, D), labels (P,) or (P, T) as the head learns them, and the group of images each
    comes from (P,) int64."""

    features: Tensor
    labels: Tensor
    group: Tensor


def choose_pixels(mask: np.ndarray, count: int, balanced_share: float, rng: np.random.Generator) -> np.ndarray:
    """`count` flat pixel indices of a mask (H, W); none of them is ignored.

    One of every connected region first (of as many as fit into half of the count), then `balanced_share` of the rest
    evenly over the classes present, the others evenly over the area. With replacement only where a class has too few
    pixels.
    """
    flat = mask.ravel()
    usable = np.flatnonzero(flat != IGNORE)
    if not len(usable):
        return np.empty(0, np.int64)
    regions = connected_regions(mask, background=-1).ravel()
    shuffled = rng.permutation(usable)
    _, first = np.unique(regions[shuffled], return_index=True)
    one_each = shuffled[rng.permutation(first)][: max(1, count // 2)]
    rest = max(0, count - len(one_each))
    classes = np.unique(flat[usable])
    balanced = round(rest * balanced_share)
    quotas = np.bincount(np.arange(balanced) % len(classes), minlength=len(classes))
    by_class = [_draw(np.flatnonzero(flat == c), q, rng) for c, q in zip(classes, quotas, strict=True)]
    even = _draw(usable, rest - balanced, rng)
    return np.concatenate([one_each, *by_class, even])


def _draw(pool: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(pool, count, replace=count > len(pool))


def gather(maps: list[Tensor], pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Feature vectors at pixel centres, bilinearly: maps (C_i, h_i, w_i), flat indices (P,) -> (P, sum C_i).

    Equal to looking the pixels up in the resized hypercolumn.
    """
    height, width = size
    y = (torch.div(pixels, width, rounding_mode="floor") + 0.5) * 2 / height - 1
    x = (pixels % width + 0.5) * 2 / width - 1
    grid = torch.stack([x, y], dim=1).to(maps[0].device, torch.float32)[None, None]
    sampled = [
        F.grid_sample(m.float()[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0]
        for m in maps
    ]
    return torch.cat(sampled).t()


@torch.no_grad()
def build_bank(
    generator: Generator,
    ws: Tensor,
    labels: np.ndarray,
    head: Head,
    group: np.ndarray,
    per_image: int,
    share: float,
    context: bool,
    seed: int,
) -> PixelBank:
    """Pixels of every latent's image: ws (N, num_ws, w_dim), N labels of the head's kind, group (N,) of each."""
    device = generator.device
    features, targets, owners = [], [], []
    for i, label in enumerate(labels):
        count = 1 if head.whole else per_image
        chosen = choose_pixels(head.strata(label), count, share, np.random.default_rng([seed, i]))
        _, maps = label_features(generator, ws[i : i + 1].to(device), context, head.whole)
        features.append(gather([m[0] for m in maps], torch.from_numpy(chosen), label_size(head, generator.size)))
        targets.append(torch.from_numpy(head.targets(label, chosen)))
        owners.append(torch.full((len(chosen),), int(group[i])))
    return PixelBank(torch.cat(features), torch.cat(targets).to(device), torch.cat(owners).to(device))
