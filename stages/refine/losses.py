"""What refiner and discriminator minimise (SimGAN, equations 1 to 4), each term by name and a value an image."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

REAL, REFINED = 0, 1
FeatureMap = Callable[[Tensor], Tensor]
Psi = Literal["identity", "channel_mean", "gradients", "level"]
STEEPNESS = 4.0


def patch_cross_entropy(scores: Tensor, label: int) -> Tensor:
    """(N,) summed over the patches: -log of the probability that every patch of scores (N, 2, h, w) has the label."""
    return -scores.float().log_softmax(dim=1)[:, label].sum(dim=(1, 2))


def refiner_terms(refined: Tensor, simulated: Tensor, scores: Tensor, psi: FeatureMap) -> dict[str, Tensor]:
    """What the refiner minimises (equation 4): every patch passes for real, and the image stays close to its input.

    refined, simulated: (N, C, H, W) in [-1, 1]. scores: (N, 2, h, w) of the refined images.
    `real` (N,): the summed cross-entropy of the patches. `self_reg` (N,): the summed L1 distance under psi.
    """
    distance = (psi(refined) - psi(simulated)).abs().sum(dim=(1, 2, 3))
    return {"real": patch_cross_entropy(scores, REAL), "self_reg": distance}


def discriminator_terms(real: Tensor, refined: Tensor) -> dict[str, Tensor]:
    """What the discriminator minimises (equation 2): both (N, 2, h, w) scores, both terms (N,) summed over patches."""
    return {"real": patch_cross_entropy(real, REAL), "refined": patch_cross_entropy(refined, REFINED)}


def realness(scores: Tensor) -> Tensor:
    """(N, h, w): how much more a patch looks real than refined, from scores (N, 2, h, w)."""
    return scores[:, REAL].float() - scores[:, REFINED].float()


def relativistic_terms(real: Tensor, refined: Tensor) -> tuple[Tensor, Tensor]:
    """The pair loss of R3GAN (Huang et al., NeurIPS 2024) on patches at the same place of a real and a refined image.

    real, refined: (N, 2, h, w) scores. Returns what the refiner and what the discriminator minimises, both (N,) summed
    over patches: a patch passes when it looks more real than the real one, so that neither network can run away.
    """
    lead = realness(refined) - realness(real)
    return F.softplus(-lead).sum(dim=(1, 2)), F.softplus(lead).sum(dim=(1, 2))


def refiner_loss(terms: dict[str, Tensor], weight: float, patches: int, values: int) -> Tensor:
    """The mean over the batch of patches * (mean `real` of a patch + weight * mean `self_reg` of a value).

    patches: h * w of the scores. values: those of an image under psi. As sums over patches, the form of the article;
    as a ratio of means, the weight is the same at every size.
    """
    return (terms["real"] + weight * patches / values * terms["self_reg"]).mean()


def feature_map(psi: Psi) -> FeatureMap:
    """psi by name; each takes (N, C, H, W)."""
    maps: dict[Psi, FeatureMap] = {
        "identity": identity,
        "channel_mean": channel_mean,
        "gradients": gradients,
        "level": level,
    }
    return maps[psi]


def identity(images: Tensor) -> Tensor:
    """The pixels themselves."""
    return images


def channel_mean(images: Tensor) -> Tensor:
    """(N, 1, H, W) mean of the channels: the colours may change, the brightness may not."""
    return images.mean(dim=1, keepdim=True)


def gradients(images: Tensor) -> Tensor:
    """(N, 2 C, H, W) differences to the right and to the lower neighbour: the brightness of areas may change."""
    right = F.pad(images.diff(dim=3), (0, 1, 0, 0))
    down = F.pad(images.diff(dim=2), (0, 0, 0, 1))
    return torch.cat([right, down], dim=1)


def level(images: Tensor) -> Tensor:
    """(N, C, H, W) in [-1, 1]: on which side of mid grey each value lies, softly. Where labels are a threshold of the
    image, as the ink of digits, this is what must stay; how dark ink is and how softly it ends may change."""
    return torch.tanh(STEEPNESS * images)
