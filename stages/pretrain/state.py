"""What changes while the GAN trains: networks, optimisers, average, counters; to and from a checkpoint."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.common.device import seeded
from stages.pretrain.augment import AdaptiveStrength
from stages.pretrain.build import build_discriminator, build_generator
from stages.pretrain.discriminator import Discriminator
from stages.pretrain.generator import Generator, Pair
from stages.pretrain.params import PretrainParams


@dataclass
class TrainingState:
    """Everything that a killed run needs to go on. Random numbers are a function of seed, step and process."""

    generator: Generator
    discriminator: Discriminator
    average: Generator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    strength: AdaptiveStrength
    augment_p: float
    step: int = 0

    def save(self) -> dict[str, Any]:
        """The state as tensors and numbers."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        counters = {"step": self.step, "augment_p": self.augment_p, "strength": vars(self.strength).copy()}
        return {**parts, **counters}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `save` gave."""
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.step, self.augment_p = saved["step"], saved["augment_p"]
        vars(self.strength).update(saved["strength"])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "generator_optimiser": self.generator_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }


def new_state(
    params: PretrainParams,
    size: Pair,
    channels: int,
    seed: int,
    device: torch.device,
    shares: Tensor | None = None,
) -> TrainingState:
    """Fresh networks from the seed, the same on every process; shares (clusters,): how frequent each cluster is."""
    torch.manual_seed(seeded(seed, 0).initial_seed())
    generator = build_generator(params.network, size, channels).to(device)
    if shares is not None:
        generator.mapping.shares.copy_(shares)
    discriminator = build_discriminator(params.network, size, channels).to(device)
    if params.channels_last:
        generator.to(memory_format=torch.channels_last)
        discriminator.to(memory_format=torch.channels_last)
    policy = params.augment.policy
    return TrainingState(
        generator,
        discriminator,
        copy.deepcopy(generator).requires_grad_(False),
        _adam(generator, params, lazy=1),
        _adam(discriminator, params, lazy=params.penalty.every),
        AdaptiveStrength(params.augment.ada_target, params.augment.ada_images),
        augment_p=1.0 if policy == "diffaugment" else 0.0,
    )


def _adam(module: nn.Module, params: PretrainParams, lazy: int) -> torch.optim.Optimizer:
    """Adam without momentum; rate and beta corrected for a penalty every `lazy` steps (StyleGAN2, appendix B)."""
    share = lazy / (lazy + 1) if lazy > 1 else 1.0
    betas = (0.0, params.beta2**share)
    return torch.optim.Adam(module.parameters(), params.learning_rate * share, betas, fused=True)
