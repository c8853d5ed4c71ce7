"""Differentiable augmentation of what the discriminator sees, for small sets.

`Augment` applies each operation to each image with probability p: p = 1 is DiffAugment (Zhao et al. 2020);
`AdaptiveStrength` moves p by how well the discriminator knows the reals (ADA, Karras et al. 2020).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

OPERATIONS = ("flip", "translation", "affine", "brightness", "contrast", "saturation", "cutout")


def _chance(images: Tensor, p: float) -> Tensor:
    """(N, 1, 1, 1) bool: which images an operation applies to."""
    return (torch.rand(len(images), device=images.device) < p)[:, None, None, None]


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    return torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(low, high)


def flip(images: Tensor, p: float) -> Tensor:
    """Mirror left to right, half of the time."""
    return torch.where(_chance(images, 0.5 * p), images.flip(3), images)


def translation(images: Tensor, p: float, share: float = 0.125) -> Tensor:
    """Shift by whole pixels, up to `share` of each side; the border is repeated."""
    _, _, height, width = images.shape
    reach_y, reach_x = max(1, round(height * share)), max(1, round(width * share))
    used = _chance(images, p)[:, 0, 0, 0]
    dy = torch.randint(-reach_y, reach_y + 1, (len(images),), device=images.device) * used
    dx = torch.randint(-reach_x, reach_x + 1, (len(images),), device=images.device) * used
    rows = (torch.arange(height, device=images.device)[None] + dy[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device)[None] + dx[:, None]).clamp(0, width - 1)
    index = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def affine(images: Tensor, p: float, degrees: float = 10.0, log2_scale: float = 0.2) -> Tensor:
    """Rotate by up to `degrees`, scale each axis by up to 2^log2_scale; the border is repeated."""
    count = len(images)
    used = _chance(images, p)[:, 0, 0, 0]
    angle = torch.empty(count, device=images.device).uniform_(-degrees, degrees) * (math.pi / 180) * used
    scale = torch.exp2(torch.empty(count, 2, device=images.device).uniform_(-log2_scale, log2_scale) * used[:, None])
    aspect = images.shape[2] / images.shape[3]
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    x_row = torch.stack([cos * scale[:, 0], -sin * scale[:, 0] * aspect, zero], dim=1)
    y_row = torch.stack([sin * scale[:, 1] / aspect, cos * scale[:, 1], zero], dim=1)
    grid = F.affine_grid(torch.stack([x_row, y_row], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def brightness(images: Tensor, p: float, reach: float = 0.5) -> Tensor:
    """Add one offset to all pixels of an image."""
    return images + _uniform(images, -reach, reach) * _chance(images, p)


def contrast(images: Tensor, p: float, reach: float = 0.5) -> Tensor:
    """Scale around the mean of the image."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + _uniform(images, -reach, reach) * _chance(images, p))


def saturation(images: Tensor, p: float, reach: float = 1.0) -> Tensor:
    """Scale around the grey of each pixel; grey images stay as they are."""
    grey = images.mean(dim=1, keepdim=True)
    return grey + (images - grey) * (1 + _uniform(images, -reach, reach) * _chance(images, p))


def cutout(images: Tensor, p: float, share: float = 0.5) -> Tensor:
    """Blank a rectangle of `share` of each side, centred anywhere."""
    _, _, height, width = images.shape
    y = torch.arange(height, device=images.device)[None, None, :, None]
    x = torch.arange(width, device=images.device)[None, None, None, :]
    centre_y, centre_x = _uniform(images, 0, height), _uniform(images, 0, width)
    inside = ((y - centre_y).abs() < height * share / 2) & ((x - centre_x).abs() < width * share / 2)
    return images * ~(inside & _chance(images, p))


_FUNCTIONS = {
    "flip": flip,
    "translation": translation,
    "affine": affine,
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "cutout": cutout,
}


class Augment:
    """The chosen operations in their fixed order. images (N, C, H, W) -> the same shape."""

    def __init__(self, operations: tuple[str, ...], p: float) -> None:
        self.operations, self.p = operations, p

    def __call__(self, images: Tensor) -> Tensor:
        if self.p <= 0:
            return images
        for name in OPERATIONS:
            if name in self.operations:
                images = _FUNCTIONS[name](images, self.p)
        return images


class AdaptiveStrength:
    """ADA's controller: raises p while the mean sign of D's logits on reals exceeds `target`, else lowers it.

    p crosses [0, 1] in `images_to_full` images of training (500,000 in the paper).
    """

    def __init__(self, target: float, images_to_full: int, every: int = 4) -> None:
        self.target, self.images_to_full, self.every = target, images_to_full, every
        self.sign_sum = self.count = 0.0
        self.steps = 0

    def update(self, p: float, real_logits: Tensor) -> float:
        """The new p after a discriminator step on these real logits (N,)."""
        self.sign_sum += float(real_logits.detach().sign().sum())
        self.count += len(real_logits)
        self.steps += 1
        if self.steps % self.every:
            return p
        step = math.copysign(self.count / self.images_to_full, self.sign_sum / self.count - self.target)
        self.sign_sum = self.count = 0.0
        return min(max(p + step, 0.0), 1.0)
