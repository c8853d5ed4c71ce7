"""Which pixels the ensemble trains on, and their feature vectors, without ever building a hypercolumn."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from skimage.measure import label as connected_regions
from torch import Tensor

from stages.common.device import free_bytes
from stages.common.errors import UserError
from stages.common.spec import IGNORE
from stages.label.features import feature_count, label_features
from stages.label.heads import Head, label_size
from stages.label.params import LabelParams, Precision
from stages.pretrain.generator import Generator

DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class PixelBank:
    """Training pixels: features (P, D) float32 or float16, labels (P,) or (P, T) as the head learns them, and the group
    of images each comes from (P,) int64."""

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
    precision: Precision = "float32",
) -> PixelBank:
    """Pixels of every latent's image: ws (N, num_ws, w_dim), N labels of the head's kind, group (N,) of each.

    Each image's features go to their place in the bank at once, so that nothing is ever there twice.
    """
    device, dtype = generator.device, DTYPES[precision]
    largest = torch.finfo(dtype).max
    chosen = [
        choose_pixels(head.strata(label), 1 if head.whole else per_image, share, np.random.default_rng([seed, i]))
        for i, label in enumerate(labels)
    ]
    features = torch.empty(
        sum(map(len, chosen)), feature_count(generator, context, head.whole), dtype=dtype, device=device
    )
    for part, pixels, one in zip(features.split([*map(len, chosen)]), chosen, ws.split(1), strict=True):
        _, maps = label_features(generator, one.to(device), context, head.whole)
        found = gather([m[0] for m in maps], torch.from_numpy(pixels), label_size(head, generator.size))
        part.copy_(found.clamp_(-largest, largest))
    targets = [torch.from_numpy(head.targets(*pair)) for pair in zip(labels, chosen, strict=True)]
    owners = [torch.full((len(pixels),), int(owner)) for pixels, owner in zip(chosen, group, strict=True)]
    return PixelBank(features, torch.cat(targets).to(device), torch.cat(owners).to(device))


def refuse_large_bank(generator: Generator, latents: int, head: Head, params: LabelParams) -> None:
    """Raises UserError when the features of the training pixels would not fit into the memory that is free.

    Beside the bank, those of one image are there twice in float32, as they are gathered.
    """
    if head.whole:  # one pixel an image
        return
    stored = torch.finfo(DTYPES[params.precision]).bits // 8
    pixel = feature_count(generator, params.context) * (latents * stored + 2 * 4)
    needed, free = params.pixels_per_image * pixel, free_bytes(generator.device)
    if needed > free:
        half = "" if params.precision == "float16" else ", or set label.precision to float16, which takes half"
        raise UserError(
            f"label.pixels_per_image: {params.pixels_per_image} pixels of {latents} latents take "
            f"{needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB of memory are free; choose {free // pixel} or fewer{half}"
        )
