"""How hard composites are: the loss of a target that is held fixed, on those of each placer."""

import copy

import torch
from torch import nn

from stages.common.device import seeded
from stages.compose.composer import as_samples
from stages.compose.placers import Place
from stages.compose.state import ComposeState
from stages.compose.training import Trainer

HARDNESS_STREAM, COMPOSITES, BATCH = 78, 128, 32


def fixed_target(state: ComposeState) -> nn.Module:
    """The target as it was after the warm-up, in evaluation mode."""
    module = copy.deepcopy(state.learner.module)
    if state.fixed:
        module.load_state_dict(state.fixed)
    return module.requires_grad_(False).eval()


@torch.no_grad()
def hardness(trainer: Trainer, state: ComposeState, place: Place) -> float:
    """Mean loss of the fixed target on the same pairs of cut-out and background, placed by `place`."""
    module, losses = fixed_target(state), []
    for number in range(COMPOSITES // BATCH):
        canvas = trainer.composer.compose(place, BATCH, seeded(trainer.seed, HARDNESS_STREAM, number))
        labels = trainer.target.labels(as_samples(canvas)).to(canvas.images.device)
        terms = trainer.target.loss_terms(module(canvas.images), labels, state.learner.class_weights)
        losses.append(torch.stack(list(terms.values())).sum())
    return float(torch.stack(losses).mean())
