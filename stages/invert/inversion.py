"""From labelled images to latents: encode, optimise, judge."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.invert.encoder import Encoder, latent_deviation
from stages.invert.losses import Distance, Weights, reconstruction_terms, weighted
from stages.invert.optimise import Best, optimise_latents
from stages.invert.params import OptimiseParams
from stages.pretrain.generator import Generator


@dataclass(frozen=True)
class Inversion:
    """Latents (N, num_ws, w_dim) of N images, before and after the optimisation, with both reconstruction errors (N,).

    Errors are the weighted perceptual and pixel terms; `perceptual` and `pixel` are the final terms alone.
    """

    start: Tensor
    ws: Tensor
    start_error: Tensor
    error: Tensor
    perceptual: Tensor
    pixel: Tensor

    def flagged(self, reject_above: float, median: float | None = None) -> Tensor:
        """(N,) bool: the images whose error is above `reject_above` times the median, that of these images unless
        another is given."""
        return self.error > reject_above * (float(self.error.median()) if median is None else median)


def invert(
    generator: Generator,
    encoder: Encoder,
    images: Tensor,
    distance: Distance,
    weights: Weights,
    params: OptimiseParams,
    on_step: Callable[[int, dict[str, Tensor]], None],
) -> Inversion:
    """Invert all images, `params.batch` at once; `on_step` gets the number of steps done over all batches."""
    scale = latent_deviation(generator)
    parts = []
    for number, batch in enumerate(images.split(params.batch)):
        with torch.no_grad():
            start = encoder(batch)
        best = Best(start, start.new_zeros(len(start)))
        iterates = optimise_latents(
            generator, batch, start, distance, weights, params.steps, params.learning_rate, scale
        )
        for step, (best, terms) in enumerate(iterates):  # noqa: B007, the last one is judged
            on_step(number * params.steps + step, terms)
        parts.append(_judge(generator, batch, start, best, distance, weights))
    return Inversion(*(torch.cat([getattr(p, name) for p in parts]) for name in Inversion.__dataclass_fields__))


@torch.no_grad()
def _judge(
    generator: Generator, images: Tensor, start: Tensor, best: Best, distance: Distance, weights: Weights
) -> Inversion:
    before = reconstruction_terms(generator.synthesis(start), images, distance)
    after = reconstruction_terms(generator.synthesis(best.ws), images, distance)
    return Inversion(
        start, best.ws, weighted(before, weights), weighted(after, weights), after["perceptual"], after["pixel"]
    )
