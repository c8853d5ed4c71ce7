"""The StyleGAN2 discriminator: residual blocks, minibatch standard deviation, one logit an image."""

import itertools
import math

import torch
from torch import Tensor, nn

from stages.pretrain.generator import Pair, channels_at, doublings, start_size
from stages.pretrain.layers import EqualConv, EqualLinear, activate
from stages.pretrain.mapping import one_hot


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the second halving the size, beside a 1x1 shortcut; summed to unit variance."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3, activated=True)
        self.second = EqualConv(inputs, outputs, 3, down=True, activated=True, scale=math.sqrt(0.5))
        self.shortcut = EqualConv(inputs, outputs, 1, bias=False, down=True, scale=math.sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y + self.shortcut(x)


def append_batch_deviation(x: Tensor, batches: int = 1, group: int = 4) -> Tensor:
    """Append a map with the mean deviation over groups of neighbouring images (Karras et al. 2018, section 3).

    x (N, C, H, W) -> (N, C + 1, H, W). x holds `batches` batches of equal size one after the other, and no group
    reaches over two of them; the group shrinks to the largest divisor of a batch's size not above `group`.
    """
    size = x.shape[0] // batches
    group = next(g for g in range(min(group, size), 0, -1) if size % g == 0)
    y = x.float().unflatten(0, (-1, group))
    variance = (y - y.mean(dim=1, keepdim=True)).square().mean(dim=1)
    deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
    extra = deviation.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, extra.to(x.dtype)], dim=1)


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N,): higher means more real.

    With `clusters`, a second term asks whether the image is one of its cluster (Miyato and Koyama 2018, projection).
    """

    def __init__(self, size: Pair, image_channels: int, base: int, limit: int, clusters: int = 0) -> None:
        super().__init__()
        self.clusters = clusters
        height, width = start_size(size)
        widths = [channels_at(level, base, limit) for level in reversed(range(doublings(size) + 1))]
        self.from_image = EqualConv(image_channels, widths[0], 1, activated=True)
        self.blocks = nn.ModuleList(ResidualBlock(i, o) for i, o in itertools.pairwise(widths))
        self.last_conv = EqualConv(widths[-1] + 1, widths[-1], 3, activated=True)
        self.hidden = EqualLinear(widths[-1] * height * width, widths[-1])
        self.logit = EqualLinear(widths[-1], 1)
        self.cluster_weights = EqualLinear(clusters, widths[-1]) if clusters else None

    def features(self, images: Tensor) -> list[Tensor]:
        """The maps after the first convolution and after each block, finest first."""
        maps: list[Tensor] = [self.from_image(images)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps

    def forward(self, images: Tensor, cluster: Tensor | None = None, batches: int = 1) -> Tensor:
        """Judge images as members of `cluster` (N,), which a discriminator without clusters ignores.

        `images` may be several batches of equal size one after the other, judged as if each came alone.
        """
        x = append_batch_deviation(self.features(images)[-1], batches)
        x = self.last_conv(x).flatten(1).float()
        x = activate(self.hidden(x))
        logits = self.logit(x).squeeze(1)
        if self.cluster_weights is None:
            return logits
        assert cluster is not None
        weights = self.cluster_weights(one_hot(cluster, self.clusters))
        return logits + (weights * x).sum(dim=1) / math.sqrt(x.shape[1])
