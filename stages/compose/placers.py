"""What puts objects somewhere: a function of the background, the object and a generator."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stages.compose.networks import Synthesizer
from stages.compose.pasting import Objects
from stages.compose.placement import PARAMETERS, bounded, random_placements

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


def place_in_turn(synthesizers: Sequence[Synthesizer]) -> Place:
    """Where one of several synthesizers puts objects, drawn anew for each; the generator draws it, then its noise."""

    def place(backgrounds: Tensor, objects: Objects, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(synthesizers), (len(objects),), generator=generator)
        noise = torch.randn(len(objects), synthesizers[0].noise, generator=generator)
        placements = backgrounds.new_zeros(len(objects), len(PARAMETERS))
        for number in chosen.unique().tolist():
            rows = torch.nonzero(chosen == number)[:, 0].to(backgrounds.device)
            some, mine = objects.take(rows), noise.to(backgrounds.device)[rows]
            placements[rows] = synthesizers[number](backgrounds[rows], some.images, some.alpha, mine)
        return placements

    return place


def raw_placements(
    synthesizer: Synthesizer, backgrounds: Tensor, objects: Objects, generator: torch.Generator
) -> Tensor:
    """(N, 6) placements before the squash; the generator, on the CPU, draws the noise."""
    noise = torch.randn(len(objects), synthesizer.noise, generator=generator).to(backgrounds.device)
    return synthesizer.raw(backgrounds, objects.images, objects.alpha, noise)
