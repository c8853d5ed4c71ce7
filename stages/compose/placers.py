"""What puts objects somewhere: a function of the background, the object and a generator."""

from collections.abc import Callable

import torch
from torch import Tensor

from stages.compose.networks import Synthesizer
from stages.compose.pasting import Objects
from stages.compose.placement import bounded, random_placements

Place = Callable[[Tensor, Objects, torch.Generator], Tensor]
"""(backgrounds (N, C, H, W), objects, generator on the CPU) to placements (N, 6) in [-1, 1]."""


def place_randomly(backgrounds: Tensor, objects: Objects, generator: torch.Generator) -> Tensor:
    """Evenly from the ranges."""
    return random_placements(len(objects), generator).to(backgrounds.device)


def place_by(synthesizer: Synthesizer) -> Place:
    """Where a synthesizer puts objects; the generator draws its noise."""

    def place(backgrounds: Tensor, objects: Objects, generator: torch.Generator) -> Tensor:
        return bounded(raw_placements(synthesizer, backgrounds, objects, generator))

    return place


def raw_placements(
    synthesizer: Synthesizer, backgrounds: Tensor, objects: Objects, generator: torch.Generator
) -> Tensor:
    """(N, 6) placements before the squash; the generator, on the CPU, draws the noise."""
    noise = torch.randn(len(objects), synthesizer.noise, generator=generator).to(backgrounds.device)
    return synthesizer.raw(backgrounds, objects.images, objects.alpha, noise)
