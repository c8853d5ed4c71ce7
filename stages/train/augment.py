"""Random affine and colour changes of a batch, drawn on the CPU and done on the batch's device."""

import torch
from torch import Tensor

from stages.train.params import AugmentParams


def jitter_colours(images: Tensor, params: AugmentParams, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] with other brightness, contrast and, for C = 3, saturation; clamped."""
    draws = (torch.rand((len(images), 3), generator=generator) * 2 - 1).to(images.device)
    brightness, contrast, saturation = draws[:, :, None, None, None].unbind(1)
    if images.shape[1] == 3:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * (1 + saturation * params.saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + contrast * params.contrast)
    return (images + 2 * brightness * params.brightness).clamp(-1, 1)
