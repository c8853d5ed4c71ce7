"""What changes while the refiner trains: networks, optimisers, history, step; to and from a checkpoint."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stages.common.device import seeded
from stages.refine.history import History
from stages.refine.networks import Discriminator, Refiner
from stages.refine.params import OptimiserParams, RefineParams

START_STREAM, HISTORY_STREAM = 50, 51


@dataclass
class RefineState:
    """Everything that a killed run needs to go on; all else is a function of seed and step.

    step counts updates of the refiner and, in pre-training, of the discriminator.
    """

    refiner: Refiner
    average: Refiner
    discriminator: Discriminator
    refiner_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    history: History
    step: int = 0

    def save(self) -> dict[str, Any]:
        """The state as tensors and numbers."""
        return {**{name: part.state_dict() for name, part in self._parts().items()}, "step": self.step}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `save` gave."""
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        if self.history.images is not None:
            self.history.images = self.history.images.to(next(self.refiner.parameters()).device)
        self.step = saved["step"]

    def _parts(self) -> dict[str, Any]:
        return {
            "refiner": self.refiner,
            "average": self.average,
            "discriminator": self.discriminator,
            "refiner_optimiser": self.refiner_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
            "history": self.history,
        }


def new_state(params: RefineParams, channels: int, seed: int, device: torch.device) -> RefineState:
    """Fresh networks from the seed."""
    torch.manual_seed(seeded(seed, START_STREAM).initial_seed())
    layout = torch.channels_last
    refiner = Refiner(channels, params.refiner, params.warp).to(device, memory_format=layout)  # type: ignore[call-overload]
    discriminator = Discriminator(channels, params.discriminator).to(device, memory_format=layout)  # type: ignore[call-overload]
    optimiser = params.optimiser
    return RefineState(
        refiner,
        copy.deepcopy(refiner).requires_grad_(False),
        discriminator,
        _optimiser(refiner, optimiser, optimiser.learning_rate),
        _optimiser(discriminator, optimiser, optimiser.discriminator_rate or optimiser.learning_rate),
        History(params.history.capacity, seeded(seed, HISTORY_STREAM)),
    )


def _optimiser(module: nn.Module, params: OptimiserParams, rate: float) -> torch.optim.Optimizer:
    if params.kind == "sgd":
        return torch.optim.SGD(module.parameters(), lr=rate, momentum=params.momentum)
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(params.momentum, 0.999), fused=True)
