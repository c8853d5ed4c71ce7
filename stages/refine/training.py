"""The training of SimGAN (Algorithm 1): the refiner alone, the discriminator alone, then both in turn."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stages.common.cycle import Cycle
from stages.common.device import seeded
from stages.common.tensors import ImageBank
from stages.refine.losses import (
    discriminator_terms,
    feature_map,
    realness,
    refiner_loss,
    refiner_terms,
    relativistic_terms,
)
from stages.refine.params import RefineParams
from stages.refine.refining import GRAIN_STREAM, refined_with_fields
from stages.refine.state import RefineState

SIMULATED_STREAM, REAL_STREAM, NOISE_STREAM = 52, 53, 60
Terms = dict[str, Tensor]


class Trainer:
    """Knows the images and the rules, and nothing that changes: that is all in the state."""

    def __init__(self, simulated: ImageBank, real: ImageBank, params: RefineParams, seed: int) -> None:
        self.simulated, self.real, self.params, self.seed = simulated, real, params, seed
        self.psi = feature_map(params.psi)
        self.simulated_order = Cycle(np.arange(len(simulated)), seed, SIMULATED_STREAM)
        self.real_order = Cycle(np.arange(len(real)), seed, REAL_STREAM)

    @property
    def starts(self) -> tuple[int, int]:
        """The steps at which the discriminator's pre-training and the training of both begin."""
        alone = self.params.pretraining
        return alone.refiner, alone.refiner + alone.discriminator

    @property
    def steps(self) -> int:
        """All steps, pre-training included."""
        return self.starts[1] + self.params.steps

    def run(self, state: RefineState) -> Iterator[Terms]:
        """Train to the end; after each step yields its terms by name: means over the batch, a patch, a value."""
        while state.step < self.steps:
            yield self.train_step(state)

    def train_step(self, state: RefineState) -> Terms:
        """One step of the phase that the state is in."""
        discriminator_from, both_from = self.starts
        if state.step < discriminator_from:
            terms = self._copy_input(state)
        elif state.step < both_from:
            terms = self._update_discriminator(state, state.step)
        else:
            terms = self._adversarial_step(state, state.step - both_from)
        self._update_average(state)
        state.step += 1
        return terms

    def _adversarial_step(self, state: RefineState, number: int) -> Terms:
        """One update of the refiner; after every K_g of them, K_d of the discriminator."""
        if number == 0:
            # Adam's moments are those of a loss with other units: with them, the first step would be a hundredfold.
            state.refiner_optimiser.state.clear()
            self._fill_history(state)
        terms = self._update_refiner(state)
        if (number + 1) % self.params.refiner_steps == 0:
            first = (number + 1) // self.params.refiner_steps * self.params.discriminator_steps
            for offset in range(self.params.discriminator_steps):
                terms |= self._update_discriminator(state, self.starts[1] + first + offset)
        return terms

    def _copy_input(self, state: RefineState) -> Terms:
        refined, simulated, _ = self._refined(state, self._simulated(state.step), state.step)
        distance = (self.psi(refined) - self.psi(simulated)).abs().mean()
        _step(state.refiner_optimiser, distance)
        return {"self_reg": distance.detach(), "change": _change(refined, simulated)}

    def _update_refiner(self, state: RefineState) -> Terms:
        refined, simulated, field = self._refined(state, self._simulated(state.step), state.step)
        state.discriminator.requires_grad_(False)
        scores = state.discriminator(self._noisy(as_stored(refined), state.step))
        terms = refiner_terms(refined, simulated, scores, self.psi)
        if self.params.loss == "relativistic":
            with torch.no_grad():
                real_scores = state.discriminator(self._noisy(self._real(self.steps + state.step), state.step))
            terms["real"] = relativistic_terms(real_scores, scores)[0]
        patches, values = scores[0, 0].numel(), self.psi(simulated[:1]).numel()
        loss = refiner_loss(terms, self.params.self_regularisation, patches, values)
        logged = {
            "adversarial": terms["real"].detach().mean() / patches,
            "self_reg": terms["self_reg"].detach().mean() / values,
            "change": _change(refined, simulated),
        }
        if field is not None:
            bend = (field / self.params.warp.pixels).square().mean()
            loss = loss + self.params.warp.weight * patches * bend
            logged |= {"bend": bend.detach(), "bend_px": field.detach().norm(dim=1).mean()}
        _step(state.refiner_optimiser, loss)
        state.discriminator.requires_grad_(True)
        return logged

    def _update_discriminator(self, state: RefineState, number: int) -> Terms:
        real, fakes = self._real(number), self._fakes(state, number)
        shown = self._noisy(torch.cat([real, fakes]), self.steps + number).requires_grad_()
        scores = state.discriminator(shown)
        real_scores, fake_scores = scores.chunk(2)
        terms = discriminator_terms(real_scores, fake_scores)
        loss = (terms["real"] + terms["refined"]).mean()
        if self.params.loss == "relativistic":
            loss = relativistic_terms(real_scores, fake_scores)[1].mean()
        patches = real_scores[0, 0].numel()
        if gamma := self.params.discriminator.gamma:
            judged = scores if self.params.loss == "relativistic" else real_scores
            (slope,) = torch.autograd.grad(realness(judged).sum(), shown, create_graph=True)
            loss = loss + gamma / 2 * slope.square().sum(dim=(1, 2, 3)).sum() / len(real)
        _step(state.discriminator_optimiser, loss)
        return {f"discriminator_{name}": value.detach().mean() / patches for name, value in terms.items()} | {
            "real_accuracy": (real_scores.argmax(dim=1) == 0).float().mean(),
            "refined_accuracy": (fake_scores.argmax(dim=1) == 1).float().mean(),
        }

    @torch.no_grad()
    def _fakes(self, state: RefineState, number: int) -> Tensor:
        """Refined images, half of them of the past once both networks train."""
        simulated, number = self._simulated(self.steps + number), self.steps + number
        if state.step < self.starts[1] or not self.params.history.capacity:
            return as_stored(self._refined(state, simulated, number)[0])
        return state.history.mix(as_stored(self._refined(state, simulated[: len(simulated) // 2], number)[0]))

    def _refined(self, state: RefineState, simulated: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Refined images, what they are to stay close to, and the field that bent it."""
        return refined_with_fields(state.refiner, simulated, seeded(self.seed, GRAIN_STREAM, number))

    def _noisy(self, images: Tensor, number: int) -> Tensor:
        deviation = self.params.discriminator.noise
        if not deviation:
            return images
        noise = torch.randn(images.shape, generator=seeded(self.seed, NOISE_STREAM, number))
        return images + deviation * noise.to(images.device)

    @torch.no_grad()
    def _update_average(self, state: RefineState) -> None:
        decay = min(self.params.ema, (1 + state.step) / (10 + state.step))
        for slow, fast in zip(state.average.parameters(), state.refiner.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)

    @torch.no_grad()
    def _fill_history(self, state: RefineState) -> None:
        """Images of the pre-trained refiner, until the buffer is full."""
        batch, capacity = self.params.batch, self.params.history.capacity
        for number in range(-(-capacity // batch)):
            refined = as_stored(self._refined(state, self._simulated(number), number)[0])
            state.history.add(refined[: capacity - len(state.history)])

    def _simulated(self, number: int) -> Tensor:
        return self._batch(self.simulated, self.simulated_order, number)

    def _real(self, number: int) -> Tensor:
        return self._batch(self.real, self.real_order, number)

    def _batch(self, images: ImageBank, order: Cycle, number: int) -> Tensor:
        rows = order.take(number * self.params.batch, self.params.batch)
        return images[torch.from_numpy(rows)].contiguous(memory_format=torch.channels_last)


def as_stored(images: Tensor) -> Tensor:
    """The images in the 256 steps of a file, with the gradient as if they were not rounded.

    Else the discriminator learns that a network's black is not quite black, which no file will show.
    """
    rounded = images.clamp(-1, 1).add(1).mul(127.5).round().div(127.5).sub(1)
    return images + (rounded - images).detach()


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


@torch.no_grad()
def _change(refined: Tensor, simulated: Tensor) -> Tensor:
    """Mean distance of a value to the input's: 2 is from black to white."""
    return (refined - simulated).abs().mean()
