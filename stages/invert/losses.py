"""Terms of the inversion's loss, an image at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.invert.params import OptimiseParams

Distance = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights of the terms `perceptual`, `pixel` and `start` (EditGAN and HandsOff use 10, 1, 1)."""

    perceptual: float
    pixel: float
    start: float

    @classmethod
    def of(cls, params: OptimiseParams) -> "Weights":
        """Those of the params."""
        return cls(params.perceptual_weight, params.pixel_weight, params.start_weight)


def reconstruction_terms(made: Tensor, images: Tensor, distance: Distance) -> dict[str, Tensor]:
    """`perceptual` and `pixel` (mean squared error of values in [0, 1]), each (N,)."""
    return {"perceptual": distance(made, images), "pixel": ((made - images) / 2).square().mean(dim=(1, 2, 3))}


def weighted(terms: Mapping[str, Tensor], weights: Weights) -> Tensor:
    """The weighted sum of the terms that are there."""
    return torch.stack([getattr(weights, name) * value for name, value in terms.items()]).sum(dim=0)
