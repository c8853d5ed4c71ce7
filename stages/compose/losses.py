"""What the three networks of compositing minimise, each term by name."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.compose.placement import bounded

LEAST = 1e-4
STEEP = 1.5


def hardness_loss(losses: Tensor, cap: float) -> Tensor:
    """What the synthesizer minimises so that the target fails, a scalar: the mean of -log(1 - exp(-r)) over composites.

    r is the target's loss of a composite as a multiple of the batch's mean, so that no task's unit of loss matters;
    were it the loss itself, exp(-r) would be a classifier's probability of the right class. Bounded below, unlike minus
    the target's loss, and steep where the target succeeds. From `cap` on it is flat: a composite that nobody could read
    teaches nothing. losses: (N,), one a composite.
    """
    relative = losses / losses.detach().mean().clamp(min=LEAST)
    return -torch.log(-torch.expm1(-(relative.clamp(max=cap) + LEAST))).mean()


def synthesizer_terms(
    losses: Tensor, scores: Tensor, first: Tensor, second: Tensor, cap: float, margin: float
) -> dict[str, Tensor]:
    """`target`, `critic`, `diversity`, `saturation`, scalars.

    losses: (N,) of the target. scores: (N, h, w) of the critic on composites. first, second: (N, P) placements of the
    same pairs by two draws of the noise, before the squash. `diversity` is a logarithm of their distance: a distance
    itself pulls no harder when all placements have become one, and the target's pull always won. `saturation` keeps
    placements where the squash has a slope: an adversary is pushed to the bounds, and there a synthesizer would stay
    for ever, with one placement for all.
    """
    distance = (bounded(first) - bounded(second)).abs().mean(dim=1)
    return {
        "target": hardness_loss(losses, cap),
        "critic": F.softplus(-scores).mean(),
        "diversity": F.relu(math.log(margin) - torch.log(distance + LEAST)).mean(),
        "saturation": F.relu(torch.cat([first, second]).abs() - STEEP).square().mean(),
    }


def critic_terms(real: Tensor, composite: Tensor) -> dict[str, Tensor]:
    """`real` and `composite`, scalars: mean cross-entropy of a patch; both (N, h, w) scores."""
    return {"real": F.softplus(-real).mean(), "composite": F.softplus(composite).mean()}


def gradient_penalty(images: Tensor, scores: Tensor) -> Tensor:
    """Mean squared gradient of an image's mean score at real images (R1), a scalar. images require a gradient."""
    (slope,) = torch.autograd.grad(scores.flatten(1).mean(dim=1).sum(), images, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()
