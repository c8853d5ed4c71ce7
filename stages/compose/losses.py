"""What the three networks of compositing minimise, each term by name."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.compose.placement import bounded

LEAST = 1e-4
STEEP = 1.5


def hardness_loss(target_loss: Tensor, cap: float) -> Tensor:
    """What the synthesizer minimises so that the target fails: -log(1 - p) of p = exp(-loss of the target).

    For a classifier p is the probability of the right class. It is bounded below by 0 and its gradient is large where
    the target succeeds, unlike minus the target's loss, which has no lower bound. From `cap` on it is flat: composites
    that nobody could read teach nothing. target_loss: scalar, the mean over the batch.
    """
    return -torch.log(-torch.expm1(-(target_loss.clamp(max=cap) + LEAST)))


def synthesizer_terms(
    target_loss: Tensor, scores: Tensor, first: Tensor, second: Tensor, cap: float, margin: float
) -> dict[str, Tensor]:
    """`target`, `critic`, `diversity`, `saturation`, scalars.

    target_loss: scalar. scores: (N, h, w) of the critic on composites. first, second: (N, P) placements of the same
    pairs by two draws of the noise, before the squash. `saturation` keeps these where the squash has a slope: an
    adversary is pushed to the bounds, and there a synthesizer would stay for ever, with one placement for all.
    """
    distance = (bounded(first) - bounded(second)).abs().mean(dim=1)
    return {
        "target": hardness_loss(target_loss, cap),
        "critic": F.softplus(-scores).mean(),
        "diversity": F.relu(margin - distance).mean(),
        "saturation": F.relu(torch.cat([first, second]).abs() - STEEP).square().mean(),
    }


def critic_terms(real: Tensor, composite: Tensor) -> dict[str, Tensor]:
    """`real` and `composite`, scalars: mean cross-entropy of a patch; both (N, h, w) scores."""
    return {"real": F.softplus(-real).mean(), "composite": F.softplus(composite).mean()}


def gradient_penalty(images: Tensor, scores: Tensor) -> Tensor:
    """Mean squared gradient of the summed scores at real images (R1), a scalar. images require a gradient."""
    (slope,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()
