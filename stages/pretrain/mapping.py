"""The mapping network: latents z, and with them the cluster of images that each stands for, to w."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.pretrain.layers import EqualLinear, activate


def normalise(z: Tensor) -> Tensor:
    """z (N, C) over the root mean square of its channels."""
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def one_hot(clusters: Tensor, count: int) -> Tensor:
    """(N,) -> (N, count): codes of unit mean square, like a normalised z."""
    return F.one_hot(clusters, count).float() * math.sqrt(count)


class Mapping(nn.Module):
    """z to w: normalise, then `layers` fully connected layers that learn `lr_multiplier` times as fast as the rest.

    With `clusters`, the first component of z chooses one of them, as often as the training images have it, and the
    network reads its code beside the other components (Liu et al. 2020, self-conditioned GANs).
    """

    def __init__(self, z_dim: int, w_dim: int, layers: int, lr_multiplier: float, clusters: int = 0) -> None:
        super().__init__()
        self.clusters = clusters
        dims = [z_dim - 1 + clusters if clusters else z_dim, *[w_dim] * layers]
        self.layers = nn.ModuleList(EqualLinear(i, o, lr_multiplier=lr_multiplier) for i, o in itertools.pairwise(dims))
        self.shares: Tensor
        self.register_buffer("shares", torch.full((max(clusters, 1),), 1 / max(clusters, 1)))

    def forward(self, z: Tensor, cluster: Tensor | None = None) -> Tensor:
        """z (N, z_dim) -> w (N, w_dim). `cluster` (N,) takes the place of the one that z chooses."""
        if not self.clusters:
            x = normalise(z)
        else:
            cluster = self.cluster_of(z) if cluster is None else cluster
            x = torch.cat([normalise(z[:, 1:]), one_hot(cluster, self.clusters)], dim=1)
        for layer in self.layers:
            x = activate(layer(x))
        return x

    def cluster_of(self, z: Tensor) -> Tensor:
        """(N,): the cluster that each z stands for; 0 without clusters."""
        bounds = self.shares.cumsum(dim=0)
        chosen = torch.searchsorted(bounds, torch.special.ndtr(z[:, 0].float()))
        return chosen.clamp(max=len(bounds) - 1)
