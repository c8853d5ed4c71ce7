"""What changes while the synthesizer trains: networks, optimisers, the target; to and from a checkpoint."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch

from stages.common.checkpoint import random_state, restore_random_state
from stages.common.device import seeded
from stages.compose.networks import Critic, Synthesizer
from stages.compose.params import ComposeParams
from stages.train.learner import Learner
from stages.train.targets.base import Target

START_STREAM = 70


@dataclass
class ComposeState:
    """Everything that a killed run needs to go on; all else is a function of seed and step.

    fixed: the target's weights after the warm-up, by which hardness is measured; empty before. snapshots: synthesizers
    of earlier rounds. step counts the warm-up's updates and the rounds after them.
    """

    synthesizer: Synthesizer
    critic: Critic
    learner: Learner
    synthesizer_optimiser: torch.optim.Optimizer
    critic_optimiser: torch.optim.Optimizer
    fixed: dict[str, torch.Tensor]
    snapshots: list[Synthesizer] = field(default_factory=list)
    step: int = 0

    def save(self) -> dict[str, Any]:
        """The state as tensors and numbers."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        snapshots = [kept.state_dict() for kept in self.snapshots]
        return parts | {"fixed": self.fixed, "snapshots": snapshots, "step": self.step, "random": random_state()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `save` gave."""
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.fixed, self.step = saved["fixed"], saved["step"]
        self.snapshots = [copy.deepcopy(self.synthesizer).requires_grad_(False) for _ in saved["snapshots"]]
        for kept, tensors in zip(self.snapshots, saved["snapshots"], strict=True):
            kept.load_state_dict(tensors)
        restore_random_state(saved["random"])

    def _parts(self) -> dict[str, Any]:
        return {
            "synthesizer": self.synthesizer,
            "critic": self.critic,
            "learner": self.learner,
            "synthesizer_optimiser": self.synthesizer_optimiser,
            "critic_optimiser": self.critic_optimiser,
        }


def new_state(
    params: ComposeParams, target: Target, weights: torch.Tensor | None, seed: int, device: torch.device
) -> ComposeState:
    """Fresh networks from the seed. weights: of the target's classes in its loss."""
    torch.manual_seed(seeded(seed, START_STREAM).initial_seed())
    channels = target.spec.channels
    synthesizer = Synthesizer(channels, params.synthesizer).to(device)
    critic = Critic(channels, params.critic).to(device)
    return ComposeState(
        synthesizer,
        critic,
        Learner(target, target.params, device, weights),
        torch.optim.Adam(synthesizer.parameters(), params.learning_rate, (0.5, 0.999), fused=True),
        torch.optim.Adam(critic.parameters(), params.critic.learning_rate, (0.5, 0.999), fused=True),
        {},
    )
