"""What the two networks of the GAN minimise, each term by name.

Non-saturating loss with R1 (Goodfellow et al. 2014; Mescheder et al. 2018) as in StyleGAN2, and the relativistic
pairing loss with R1 and R2 (Huang et al. 2024, R3GAN, eq. 2-4).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def generator_loss(kind: str, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
    """Mean loss of the generator. `relativistic` compares each fake with one real; `nonsaturating` ignores reals."""
    if kind == "relativistic":
        assert real_logits is not None
        return F.softplus(real_logits - fake_logits).mean()
    return F.softplus(-fake_logits).mean()


def discriminator_loss(kind: str, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """Mean loss of the discriminator."""
    if kind == "relativistic":
        return F.softplus(fake_logits - real_logits).mean()
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def gradient_penalties(critic: Critic, images: Tensor) -> Tensor:
    """Squared norm of the critic's gradient at each image (N, C, H, W) -> (N,): R1 on reals, R2 on fakes."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))
