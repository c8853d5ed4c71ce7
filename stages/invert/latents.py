"""Latents by number, drawn afresh: number i is the same whoever draws it, in whatever order."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.common.device import seeded
from stages.invert.encoder import Encoder, reencode
from stages.pretrain.generator import Generator

SAMPLES, CANDIDATES = 31, 32
"""Streams: of the samples of a dataset, and of the candidates for annotation, which are none of these."""


@dataclass(frozen=True)
class LatentSource:
    """Latents by number: truncated by psi, then led through the encoder if there is one."""

    generator: Generator
    encoder: Encoder | None
    psi: float
    seed: int
    stream: int = SAMPLES

    @torch.no_grad()
    def __call__(self, numbers: range) -> Tensor:
        """ws (N, num_ws, w_dim) of these numbers."""
        generator = self.generator
        z = torch.stack([torch.randn(generator.z_dim, generator=seeded(self.seed, self.stream, i)) for i in numbers])
        ws = generator.broadcast(generator.latents(z.to(generator.device), self.psi))
        return ws if self.encoder is None else reencode(self.encoder, generator, ws)
