"""The encoder: image to W+ latents, trained in two phases."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.common.device import seeded
from stages.common.tensors import ImageBank
from stages.common.weights import load_into, load_weights
from stages.invert.losses import Weights, reconstruction_terms, weighted
from stages.invert.params import EncoderParams
from stages.pretrain.discriminator import ResidualBlock
from stages.pretrain.generator import Generator, Pair, channels_at, doublings, start_size
from stages.pretrain.layers import EqualConv, EqualLinear, activate

Terms = dict[str, Tensor]
TRUNCATION_FLOOR = 0.5


class Encoder(nn.Module):
    """Residual blocks down to the generator's start size, then one linear layer to an offset from the mean latent.

    images (N, C, H, W) in [-1, 1] -> ws (N, num_ws, w_dim).
    """

    def __init__(self, size: Pair, channels: int, num_ws: int, w_dim: int, base: int, limit: int) -> None:
        super().__init__()
        height, width = start_size(size)
        widths = [channels_at(level, base, limit) for level in reversed(range(doublings(size) + 1))]
        self.num_ws, self.w_dim = num_ws, w_dim
        self.from_image = EqualConv(channels, widths[0], 1, activated=True)
        self.blocks = nn.Sequential(*(ResidualBlock(i, o) for i, o in itertools.pairwise(widths)))
        self.hidden = EqualLinear(widths[-1] * height * width, 4 * widths[-1])
        self.shared = EqualLinear(4 * widths[-1], w_dim)
        self.per_layer = EqualLinear(4 * widths[-1], num_ws * w_dim)
        self.layer_gain = nn.Parameter(torch.zeros(()))
        self.mean_w: Tensor
        self.register_buffer("mean_w", torch.zeros(w_dim))

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.from_image(images)).flatten(1)
        x = activate(self.hidden(x))
        shared = self.mean_w + self.shared(x)
        return shared[:, None] + self.layer_gain * self.per_layer(x).view(-1, self.num_ws, self.w_dim)


def build_encoder(generator: Generator, params: EncoderParams, channels: int) -> Encoder:
    """An encoder for this generator, starting at its mean latent."""
    encoder = Encoder(
        generator.size, channels, generator.num_ws, generator.w_dim, params.channel_base, params.channel_limit
    )
    encoder.mean_w.copy_(generator.mean_w)
    return encoder


def load_encoder(path: Path, generator: Generator) -> Encoder:
    """The trained encoder of this generator, frozen, on its device."""
    tensors, config = load_weights(path)
    encoder = build_encoder(generator, EncoderParams(**config["encoder"]), tensors["from_image.weight"].shape[1])
    load_into(encoder, tensors)
    return encoder.to(generator.device)


@torch.no_grad()
def reencode(encoder: Encoder, generator: Generator, ws: Tensor) -> Tensor:
    """The latents that the encoder finds for the images of ws (N, num_ws, w_dim).

    Many latents make nearly the same image from quite different features, but inversion only ever finds the ones that
    the encoder leads to. Labels learnt from inverted images hold for those latents, and much less for others.
    """
    return encoder(generator.synthesis(ws).clamp(-1, 1))


def regress(encoder: Encoder, generator: Generator, params: EncoderParams, seed: int) -> Iterator[Terms]:
    """Phase one: images that the generator made, their latents as targets; yields the terms of each step."""
    scale = latent_deviation(generator)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=params.learning_rate, fused=True)
    for step in range(params.regress_steps):
        torch.manual_seed(seeded(seed, 11, step).initial_seed())
        with torch.no_grad():
            z = torch.randn(params.batch, generator.z_dim, device=scale.device)
            w = generator.latents(z, torch.empty(len(z), 1, device=scale.device).uniform_(TRUNCATION_FLOOR, 1))
            images = generator.synthesis(generator.broadcast(w), fresh_noise=True).clamp(-1, 1)
        error = ((encoder(images) - w[:, None]) / scale).square().mean()
        yield _descend(optimiser, {"latent": error}, error, step, params.regress_steps, params.learning_rate)


def finetune(
    encoder: Encoder,
    generator: Generator,
    reals: ImageBank,
    distance: Callable[[Tensor, Tensor], Tensor],
    weights: Weights,
    params: EncoderParams,
    seed: int,
) -> Iterator[Terms]:
    """Phase two: real images, perceptual and pixel error of what the generator makes of the encoder's latents."""
    rate = params.learning_rate / 2
    optimiser = torch.optim.Adam(encoder.parameters(), lr=rate, fused=True)
    for step in range(params.finetune_steps):
        torch.manual_seed(seeded(seed, 12, step).initial_seed())
        images = reals[torch.randint(len(reals), (params.batch,))]
        ws = encoder(images)
        centre = ws.mean(dim=1, keepdim=True)
        terms = reconstruction_terms(generator.synthesis(ws), images, distance)
        terms["start"] = (ws - centre).square().mean(dim=(1, 2))
        terms = {name: value.mean() for name, value in terms.items()}
        yield _descend(optimiser, terms, weighted(terms, weights), step, params.finetune_steps, rate)


def latent_deviation(generator: Generator, count: int = 2000) -> Tensor:
    """Standard deviation of each coordinate of w (w_dim,), from fixed latents."""
    z = torch.randn(count, generator.z_dim, generator=seeded(0, 13)).to(generator.device)
    with torch.no_grad():
        return generator.mapping(z).std(dim=0).clamp_min(1e-3)


def _descend(optimiser: torch.optim.Optimizer, terms: Terms, loss: Tensor, step: int, steps: int, rate: float) -> Terms:
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1.0, 2 * (1 - step / steps))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return {name: value.detach() for name, value in terms.items()}
