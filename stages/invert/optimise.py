"""Per-image optimisation of W+ latents, all images of a batch at once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.invert.losses import Distance, Weights, reconstruction_terms, weighted
from stages.pretrain.generator import Generator


@dataclass
class Best:
    """The best iterate so far of each image: its latents (N, num_ws, w_dim) and its error (N,)."""

    ws: Tensor
    error: Tensor

    def offer(self, ws: Tensor, error: Tensor) -> None:
        """Take over the images that this iterate reconstructs better."""
        better = error < self.error
        self.ws = torch.where(better[:, None, None], ws, self.ws)
        self.error = torch.where(better, error, self.error)


def rate_factor(step: int, steps: int) -> float:
    """Linear ramp up over the first 5 %, cosine ramp down over the last 25 % (StyleGAN2's projector)."""
    t = step / steps
    down = min(1.0, (1 - t) / 0.25)
    return (0.5 - 0.5 * math.cos(down * math.pi)) * min(1.0, t / 0.05 + 1 / (0.05 * steps + 1))


def optimise_latents(
    generator: Generator,
    images: Tensor,
    start: Tensor,
    distance: Distance,
    weights: Weights,
    steps: int,
    learning_rate: float,
    scale: Tensor,
) -> Iterator[tuple[Best, dict[str, Tensor]]]:
    """Minimise the error of each image over its own latents; yields the best so far and the step's terms.

    images: (N, C, H, W). start: (N, num_ws, w_dim). scale: (w_dim,), the spread of w, the unit of the optimised
    offset, so that one learning rate suits every generator. The images do not influence one another: losses are summed.
    """
    offset = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([offset], lr=learning_rate)
    best = Best(start.clone(), start.new_full((len(start),), math.inf))
    for step in range(steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * rate_factor(step, max(steps, 1))
        ws = start + offset * scale
        terms = reconstruction_terms(generator.synthesis(ws), images, distance)
        best.offer(ws.detach(), weighted(terms, weights).detach())
        terms["start"] = offset.square().mean(dim=(1, 2))
        yield best, {name: value.detach().mean() for name, value in terms.items()}
        optimiser.zero_grad(set_to_none=True)
        weighted(terms, weights).sum().backward()
        optimiser.step()
