"""The StyleGAN2 generator: mapping network, synthesis with skip connections, truncation."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.pretrain.layers import ACTIVATION_GAIN, SLOPE, ModulatedConv
from stages.pretrain.mapping import Mapping
from stages.pretrain.resample import upsample

Pair = tuple[int, int]
SMALLEST_START, LARGEST_START = 4, 16


def doublings(size: Pair) -> int:
    """How often the start map doubles to reach `size` (H, W): as often as both sides allow with 4 pixels left."""
    count = 0
    while all(side % 2 ** (count + 1) == 0 for side in size) and min(size) >> (count + 1) >= SMALLEST_START:
        count += 1
    return count


def start_size(size: Pair) -> Pair:
    """Height and width of the generator's constant input, 4 to 16 pixels on the shorter side.

    Raises ValueError when the sides of `size` cannot be halved often enough.
    """
    height, width = (side >> doublings(size) for side in size)
    if min(height, width) > LARGEST_START or min(size) < 2 * SMALLEST_START:
        raise ValueError(
            f"a GAN of {size[0]}x{size[1]} cannot be built: halving both sides must lead to at most {LARGEST_START} "
            "pixels; choose sides that are multiples of a power of two, such as 64, 96 or 256"
        )
    return height, width


def channels_at(level: int, base: int, limit: int) -> int:
    """Channels of the maps after `level` doublings: base / side, at most `limit` (StyleGAN2's rule)."""
    side = 4 * 2**level
    return min(base // side, limit)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, activation."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: Pair, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, w_dim, up=up, scale=ACTIVATION_GAIN)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise: Tensor
        self.register_buffer("noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor, fresh_noise: bool) -> Tensor:
        x = self.conv(x, w)
        noise = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device) if fresh_noise else self.noise
        noise, bias = noise * (ACTIVATION_GAIN * self.noise_strength), ACTIVATION_GAIN * self.bias
        return F.leaky_relu(x + noise.to(x.dtype) + bias.to(x.dtype)[:, None, None], SLOPE)


class SynthesisBlock(nn.Module):
    """Two styled convolutions (one at the start) and the skip to pixels."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: Pair, image_channels: int, first: bool) -> None:
        super().__init__()
        convs = [StyledConv(outputs if first else inputs, outputs, w_dim, size, up=not first)]
        if not first:
            convs.append(StyledConv(outputs, outputs, w_dim, size, up=False))
        self.convs: Iterable[StyledConv] = nn.ModuleList(convs)  # type: ignore[assignment]
        self.to_image = ModulatedConv(outputs, image_channels, 1, w_dim, demodulate=False)
        self.image_bias = nn.Parameter(torch.zeros(image_channels))


class Synthesis(nn.Module):
    """w to image: a constant, styled convolutions from coarse to fine, images of all levels summed."""

    def __init__(
        self, size: Pair, image_channels: int, w_dim: int, base: int, limit: int, bounded: bool = False
    ) -> None:
        super().__init__()
        self.bounded = bounded
        height, width = start_size(size)
        levels = doublings(size) + 1
        widths = [channels_at(level, base, limit) for level in range(levels)]
        self.constant = nn.Parameter(torch.randn(1, widths[0], height, width))
        self.blocks: Iterable[SynthesisBlock] = nn.ModuleList(  # type: ignore[assignment]
            SynthesisBlock(
                widths[max(level - 1, 0)],
                widths[level],
                w_dim,
                (height << level, width << level),
                image_channels,
                first=level == 0,
            )
            for level in range(levels)
        )
        self.num_ws = 2 * levels
        self.feature_channels = [widths[0], *(w for i, w in enumerate(widths) for _ in range(1 if i == 0 else 2))]

    def forward(self, ws: Tensor, fresh_noise: bool = False) -> Tensor:
        """ws (N, num_ws, w_dim) -> images (N, C, H, W), about [-1, 1]; fixed noise unless `fresh_noise`."""
        return self.features(ws, fresh_noise)[0]

    def features(self, ws: Tensor, fresh_noise: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Images, and the maps that a label generator reads: the constant, then every styled convolution's output.

        Map i has `feature_channels[i]` channels, at its own resolution.
        """
        x = self.constant.expand(ws.shape[0], -1, -1, -1)
        maps: list[Tensor] = [x]
        image: Tensor | None = None
        layer = 0
        for block in self.blocks:
            for conv in block.convs:
                x = conv(x, ws[:, layer], fresh_noise)
                maps.append(x)
                layer += 1
            pixels = block.to_image(x, ws[:, layer]) + block.image_bias.to(x.dtype)[:, None, None]
            image = pixels if image is None else upsample(image) + pixels
        assert image is not None
        return (image.float().tanh() if self.bounded else image.float()), maps


class Generator(nn.Module):
    """Mapping and synthesis, with the running mean of w in each cluster for truncation."""

    def __init__(
        self,
        size: Pair,
        image_channels: int,
        z_dim: int,
        w_dim: int,
        mapping_layers: int,
        base: int,
        limit: int,
        bounded: bool = False,
        mapping_rate: float = 0.01,
        clusters: int = 0,
    ) -> None:
        super().__init__()
        self.z_dim, self.w_dim, self.size = z_dim, w_dim, size
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, mapping_rate, clusters)
        self.synthesis = Synthesis(size, image_channels, w_dim, base, limit, bounded)
        self.centres: Tensor
        self.register_buffer("centres", torch.zeros(max(clusters, 1), w_dim))

    @property
    def num_ws(self) -> int:
        return self.synthesis.num_ws

    @property
    def device(self) -> torch.device:
        return self.centres.device

    @property
    def mean_w(self) -> Tensor:
        """(w_dim,): the mean over all clusters."""
        return self.mapping.shares @ self.centres

    def latents(self, z: Tensor, psi: float | Tensor = 1.0) -> Tensor:
        """z (N, z_dim) -> w (N, w_dim), truncated: psi = 1 leaves w, psi = 0 gives the mean (StyleGAN, appendix B).

        The mean is that of z's cluster, for between clusters there is nothing (Mokady et al. 2022).
        """
        cluster = self.mapping.cluster_of(z)
        w = self.mapping(z, cluster)
        return self.centres[cluster].to(w.dtype).lerp(w, psi)

    def broadcast(self, w: Tensor) -> Tensor:
        """(N, w_dim) -> (N, num_ws, w_dim)."""
        return w[:, None].expand(-1, self.num_ws, -1)

    def forward(self, z: Tensor, psi: float = 1.0, fresh_noise: bool = False) -> Tensor:
        """z (N, z_dim) -> images (N, C, H, W)."""
        return self.synthesis(self.broadcast(self.latents(z, psi)), fresh_noise)

    def mix(self, w: Tensor, w_late: Tensor, crossover: Tensor) -> Tensor:
        """ws (N, num_ws, w_dim) of w (N, w_dim), from layer `crossover[i]` on those of w_late (style mixing)."""
        layers = torch.arange(self.num_ws, device=w.device)
        return torch.where((layers[None] >= crossover[:, None])[..., None], self.broadcast(w_late), self.broadcast(w))

    @torch.no_grad()
    def update_centres(self, w: Tensor, cluster: Tensor, decay: float = 0.998) -> None:
        """Move the running means towards this batch: w (N, w_dim), cluster (N,); an image weighs 1 - decay."""
        member = F.one_hot(cluster, len(self.centres)).float()
        counts = member.sum(dim=0)
        means = (member.t() @ w.detach().float()) / counts.clamp_min(1)[:, None]
        self.centres.lerp_(means, (1 - decay**counts)[:, None])
