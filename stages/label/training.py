"""Training all members at once, each on its own stream of pixels from its own pool."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stages.common.device import seeded
from stages.label.ensemble import Ensemble
from stages.label.heads import Head
from stages.label.params import LabelParams
from stages.label.pixels import PixelBank

MANY = 32  # outputs: from here on `auto` has wider layers


@dataclass
class EnsembleState:
    """An ensemble on its way: weights, optimiser, step."""

    ensemble: Ensemble
    optimiser: torch.optim.Optimizer
    step: int = 0

    def save(self) -> dict[str, Any]:
        """As tensors and numbers."""
        return {"ensemble": self.ensemble.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `save` gave."""
        self.ensemble.load_state_dict(saved["ensemble"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step = saved["step"]


def hidden_units(hidden: Literal["auto"] | tuple[int, int], outputs: int) -> tuple[int, int]:
    """Units of the two hidden layers; with `auto` those of DatasetGAN's release for so many outputs."""
    if hidden != "auto":
        return hidden
    return (128, 32) if outputs < MANY else (256, 128)


def new_ensemble(bank: PixelBank, members: int, head: Head, params: LabelParams, seed: int) -> EnsembleState:
    """Fresh members for the features of this bank."""
    torch.manual_seed(seeded(seed, 21).initial_seed())
    hidden = hidden_units(params.hidden, head.outputs)
    ensemble = Ensemble(members, bank.features.shape[1], hidden, head.outputs).to(bank.features.device)
    if head.start_std is not None:
        nn.init.normal_(ensemble.last.weight, std=head.start_std)
    ensemble.fit_standardisation(bank.features)
    optimiser = torch.optim.Adam(ensemble.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    return EnsembleState(ensemble, optimiser)


def train_ensemble(
    state: EnsembleState, bank: PixelBank, pools: Sequence[Tensor], head: Head, params: LabelParams, seed: int
) -> Iterator[Tensor]:
    """Train to `params.steps`; yields each step's loss of every member (members,).

    pools: for each member, the rows of the bank it may see.
    """
    ensemble, device = state.ensemble.train(), bank.features.device
    while state.step < params.steps:
        generator = seeded(seed, 22, state.step)
        rows = torch.stack([p[torch.randint(len(p), (params.batch,), generator=generator).to(p.device)] for p in pools])
        torch.manual_seed(seeded(seed, 23, state.step).initial_seed())
        for group in state.optimiser.param_groups:
            group["lr"] = params.learning_rate * min(1.0, 2 * (1 - state.step / params.steps))
        outputs = ensemble(bank.features[rows.to(device)], params.dropout)
        losses = head.loss(outputs, bank.labels[rows.to(device)])
        state.optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        state.optimiser.step()
        state.step += 1
        yield losses.detach()
    ensemble.eval()
