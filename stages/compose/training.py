"""The three networks in turn (Tripathi et al., CVPR 2019, section 3): the synthesizer against target and discriminator,
then these two with the synthesizer frozen."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.tensors import ImageBank, to_images
from stages.common.warp import random_affine, warp_images
from stages.compose.composer import Composer, as_samples
from stages.compose.losses import critic_terms, gradient_penalty, synthesizer_terms
from stages.compose.moving import moving_labels
from stages.compose.params import ComposeParams
from stages.compose.pasting import Canvas, Objects
from stages.compose.placement import bounded, varied
from stages.compose.placers import Place, place_by, place_randomly, raw_placements
from stages.compose.state import ComposeState
from stages.train.augment import jitter_colours
from stages.train.targets.base import Target
from stages.train.training import LabelledData

SYNTHESIZER_STREAM, TARGET_STREAM, CRITIC_STREAM, AUGMENT_STREAM = 72, 73, 74, 75
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Trainer:
    """Knows the images and the rules, and nothing that changes: that is all in the state.

    reals: labelled real images. natural: the images that the discriminator takes for real. compared: the placers whose
    composites are compared with the synthesizer's.
    """

    composer: Composer
    reals: LabelledData
    natural: ImageBank
    target: Target
    params: ComposeParams
    seed: int
    compared: Mapping[str, Place] = field(default_factory=lambda: {"random": place_randomly})

    @property
    def steps(self) -> int:
        """All steps: the warm-up's updates and the rounds."""
        return self.params.warm_up + self.params.steps

    def run(self, state: ComposeState) -> Iterator[Terms]:
        """Train to the end; after each step yields its terms by name."""
        while state.step < self.steps:
            yield self.train_step(state)

    def train_step(self, state: ComposeState) -> Terms:
        """An update of the warm-up, or a round."""
        if state.step < self.params.warm_up:
            terms = self._update_target(state, state.step, None)
        else:
            if not state.fixed:
                state.fixed = state.learner.weights()
            terms = self._round(state, state.step - self.params.warm_up)
        state.step += 1
        if self._keeps(state.step - self.params.warm_up):
            state.snapshots.append(copy.deepcopy(state.synthesizer).requires_grad_(False))
        return terms

    def _keeps(self, rounds: int) -> bool:
        """Whether a snapshot is due; the last is that of the last round."""
        kept, steps = self.params.snapshots, self.params.steps
        return rounds > 0 and rounds * kept // steps > (rounds - 1) * kept // steps

    def _round(self, state: ComposeState, number: int) -> Terms:
        terms: Terms = {}
        for offset in range(self.params.synthesizer_steps):
            terms |= self._update_synthesizer(state, number * self.params.synthesizer_steps + offset)
        place = place_by(state.synthesizer)
        for offset in range(self.params.target_steps):
            update = number * self.params.target_steps + offset
            terms |= self._update_target(state, self.params.warm_up + update, place)
            terms |= self._update_critic(state, update, place)
        return terms

    def _update_synthesizer(self, state: ComposeState, number: int) -> Terms:
        generator = seeded(self.seed, SYNTHESIZER_STREAM, number)
        pairs: list[tuple[Tensor, Tensor]] = []

        def place(backgrounds: Tensor, objects: Objects, draws: torch.Generator) -> Tensor:
            first, second = (raw_placements(state.synthesizer, backgrounds, objects, draws) for _ in range(2))
            pairs.append((first, second))
            return bounded(first)

        canvas = self.composer.compose(place, self.params.batch, generator)
        parts = (state.learner.kept, state.critic)
        frozen = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        _freeze(frozen, True)
        losses = self._target_losses(state, canvas)
        first, second = (raw[:, varied(self.params.placement)] for raw in pairs[-1])
        scores, margin = state.critic(canvas.images), self.params.weights.margin
        terms = synthesizer_terms(losses, scores, first, second, self.params.hardness_cap, margin)
        weights = self.params.weights
        total = sum(getattr(weights, name) * term for name, term in terms.items())
        _step(state.synthesizer_optimiser, total)
        _freeze(frozen, False)
        return {f"synthesizer/{name}": term.detach() for name, term in terms.items()} | {
            "synthesizer/target_loss": losses.detach().mean(),
            "synthesizer/distance": (bounded(first) - bounded(second)).detach().abs().mean(),
        }

    def _target_losses(self, state: ComposeState, canvas: Canvas) -> Tensor:
        """(N,) the losses of the target, frozen, on composites; differentiable in their pixels.

        The target is the average of its weights, which is what is kept in the end: the latest ones jump about.
        """
        learner, labels = state.learner, moving_labels(self.target, canvas)
        return self.target.losses_each(learner.kept.eval()(canvas.images), labels, learner.class_weights)

    def _update_target(self, state: ComposeState, number: int, place: Place | None) -> Terms:
        """On real images alone, or half of them composites."""
        generator = seeded(self.seed, TARGET_STREAM, number)
        count = self.params.batch // (2 if place else 1)
        rows = torch.randint(len(self.reals), (count,), generator=generator)
        images, labels = to_images(self.reals.images[rows.numpy()]).to(state.learner.device), self.reals.labels[rows]
        if place:
            with torch.no_grad():
                canvas = self.composer.compose(place, count, generator)
            images = torch.cat([images, canvas.images])
            labels = self.target.joined(labels, self.target.labels(as_samples(canvas)))
        images, labels = self._augmented(images, labels.to(images.device), number)
        terms = state.learner.update(number, images, labels)
        return {f"target/{name}": term for name, term in terms.items()}

    def _augmented(self, images: Tensor, labels: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Changed as the stage `train` changes its images."""
        generator, augment = seeded(self.seed, AUGMENT_STREAM, number), self.target.params.augment
        maps = random_affine(len(images), (images.shape[2], images.shape[3]), augment, generator)
        return jitter_colours(warp_images(images, maps), augment, generator), self.target.warp(labels, maps)

    def _update_critic(self, state: ComposeState, number: int, place: Place) -> Terms:
        generator = seeded(self.seed, CRITIC_STREAM, number)
        with torch.no_grad():
            composites = self.composer.compose(place, self.params.batch, generator).images
        rows = torch.randint(len(self.natural), (self.params.batch,), generator=generator)
        real = self.natural[rows].requires_grad_()
        real_scores = state.critic(real)
        terms = critic_terms(real_scores, state.critic(composites))
        penalty = gradient_penalty(real, real_scores)
        _step(state.critic_optimiser, terms["real"] + terms["composite"] + self.params.critic.gamma / 2 * penalty)
        return {f"critic/{name}": term.detach() for name, term in (terms | {"penalty": penalty}).items()}


def _freeze(parameters: list[torch.nn.Parameter], frozen: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(not frozen)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
