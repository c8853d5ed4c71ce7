"""The training loop of the GAN, step by step; knows no paths and no tracker.

Gradients are averaged over processes by hand and not by a DistributedDataParallel wrapper: the gradient penalties
differentiate twice, which such a wrapper does not support.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.tensors import ImageBank
from stages.pretrain.augment import Augment
from stages.pretrain.losses import discriminator_loss, generator_loss, gradient_penalties
from stages.pretrain.params import PretrainParams
from stages.pretrain.state import TrainingState

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Reals:
    """Training images (N, C, H, W) and the cluster (N,) of each, 0 without clusters."""

    images: Tensor
    cluster: Tensor


@dataclass(frozen=True)
class Trainer:
    """What stays the same over all steps.

    clusters: (1, N) of the N images, or (2, N) when mirror images have their own; on the CPU.
    """

    images: ImageBank
    params: PretrainParams
    seed: int
    accelerator: Accelerator
    clusters: Tensor

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.params.images // self.params.batch

    @property
    def part_size(self) -> int:
        """Images a process works on at once. Raises UserError when the batch does not divide."""
        parts = self.accelerator.num_processes * self.params.accumulate
        if self.params.batch % parts:
            raise UserError(
                f"pretrain.batch: {self.params.batch} is not a multiple of processes x accumulate ({parts})"
            )
        return self.params.batch // parts

    def gamma(self, step: int) -> float:
        """The penalty's weight at a step."""
        start, end = self.params.penalty.gamma, self.params.penalty.gamma_end
        return start if not start or end is None else start * (end / start) ** min(1.0, 2 * step / self.steps)

    def run(self, state: TrainingState) -> Iterator[Terms]:
        """Train to the end; after each step yields its terms by name."""
        while state.step < self.steps:
            yield self.train_step(state)

    def train_step(self, state: TrainingState) -> Terms:
        """One update of both networks and of the average."""
        torch.manual_seed(seeded(self.seed, 1, state.step, self.accelerator.process_index).initial_seed())
        self._set_rates(state)
        augment = Augment(self.params.augment.operations, state.augment_p)
        reals = self._reals(state.step)
        terms, fakes = self._update_generator(state, reals, augment)
        terms |= self._update_discriminator(state, reals, fakes, augment)
        self._update_average(state)
        state.step += 1
        return terms

    def _reals(self, step: int) -> list[Reals]:
        """This process's parts of the step's batch: a new order every pass over the set."""
        batch, count = self.params.batch, len(self.images)
        positions = torch.arange(step * batch, (step + 1) * batch)
        orders = {
            int(e): torch.randperm(count, generator=seeded(self.seed, 2, int(e))) for e in (positions // count).unique()
        }
        index = torch.stack([orders[int(p) // count][int(p) % count] for p in positions])
        mine = index[self.accelerator.process_index :: self.accelerator.num_processes]
        return [self._take(part) for part in mine.split(self.part_size)]

    def _take(self, index: Tensor) -> Reals:
        """These images, half of them mirrored if the params say so."""
        images, cluster = self.images[index], self.clusters[0, index]
        if self.params.mirror:
            chosen = torch.rand(len(index)) < 0.5
            images = torch.where(chosen.to(images.device)[:, None, None, None], images.flip(3), images)
            cluster = torch.where(chosen, self.clusters[-1, index], cluster)
        return Reals(images, cluster.to(images.device))

    def _update_generator(
        self, state: TrainingState, reals: list[Reals], augment: Augment
    ) -> tuple[Terms, list[Tensor]]:
        fakes, losses = [], []
        state.generator_optimiser.zero_grad(set_to_none=True)
        state.discriminator.requires_grad_(False)
        for real in reals:
            with self.accelerator.autocast():
                fake = state.generator.synthesis(self._latents(state, real.cluster), fresh_noise=True)
                fake_logits = state.discriminator(augment(fake), real.cluster)
                relativistic = self.params.loss == "relativistic"
                real_logits = state.discriminator(augment(real.images), real.cluster) if relativistic else None
                loss = generator_loss(self.params.loss, fake_logits, real_logits)
            self.accelerator.backward(loss / len(reals))
            fakes.append(fake.detach())
            losses.append(loss.detach())
        state.discriminator.requires_grad_(True)
        self._apply(state.generator, state.generator_optimiser)
        return {"generator": torch.stack(losses).mean()}, fakes

    def _latents(self, state: TrainingState, cluster: Tensor) -> Tensor:
        """ws of fakes, each of the cluster of the real that it is compared with."""
        generator, count, device = state.generator, len(cluster), self.images.device
        z = torch.randn(count, generator.z_dim, device=device)
        w = generator.mapping(z, cluster)
        generator.update_centres(w, cluster)
        if not self.params.style_mixing:
            return generator.broadcast(w)
        crossover = torch.randint(1, generator.num_ws, (count,), device=device)
        crossover[torch.rand(count, device=device) >= self.params.style_mixing] = generator.num_ws
        return generator.mix(w, generator.mapping(torch.randn_like(z), cluster), crossover)

    def _update_discriminator(
        self, state: TrainingState, reals: list[Reals], fakes: list[Tensor], augment: Augment
    ) -> Terms:
        collected: dict[str, list[Tensor]] = {}
        state.discriminator_optimiser.zero_grad(set_to_none=True)
        for real, fake in zip(reals, fakes, strict=True):
            with self.accelerator.autocast():
                both = torch.cat([augment(fake), augment(real.images)])
                fake_logits, real_logits = state.discriminator(both, real.cluster.repeat(2), batches=2).chunk(2)
                loss = discriminator_loss(self.params.loss, fake_logits, real_logits)
            terms = {"discriminator": loss, "real_logit": real_logits.mean(), "fake_logit": fake_logits.mean()}
            penalties = self._penalties(state, real, fake, augment)
            weight = self.gamma(state.step) / 2 * self.params.penalty.every
            total = loss + weight * sum(penalties.values(), loss.new_zeros(()))
            self.accelerator.backward(total / len(reals))
            for name, value in {**terms, **penalties}.items():
                collected.setdefault(name, []).append(value.detach())
            if self.params.augment.policy == "ada":
                state.augment_p = state.strength.update(state.augment_p, self.accelerator.gather(real_logits.detach()))
        self._apply(state.discriminator, state.discriminator_optimiser)
        return {name: torch.stack(values).mean() for name, values in collected.items()}

    def _penalties(self, state: TrainingState, real: Reals, fake: Tensor, augment: Augment) -> Terms:
        """R1, and R2 by param, when this step is due; in full precision, since they differentiate twice."""
        penalty = self.params.penalty
        if not penalty.gamma or state.step % penalty.every:
            return {}
        batches = [augment(real.images), augment(fake)] if penalty.on_fakes else [augment(real.images)]
        cluster = real.cluster.repeat(len(batches))
        judge = partial(state.discriminator, cluster=cluster, batches=len(batches))
        found = gradient_penalties(judge, torch.cat(batches)).chunk(len(batches))
        return {name: values.mean() for name, values in zip(("r1", "r2"), found, strict=False)}

    def _apply(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Average the gradients over processes, then step."""
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        if self.accelerator.num_processes > 1:
            flat = self.accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "mean")
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))
        optimiser.step()

    def _set_rates(self, state: TrainingState) -> None:
        """Constant, then a straight line to zero over the last `decay_share` of the run."""
        left = 1 - state.step / self.steps
        factor = min(1.0, left / self.params.decay_share) if self.params.decay_share else 1.0
        for optimiser in (state.generator_optimiser, state.discriminator_optimiser):
            for group in optimiser.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = group["initial_lr"] * factor

    @torch.no_grad()
    def _update_average(self, state: TrainingState) -> None:
        """Exponential average of the generator; its memory grows with the run up to the half-life."""
        seen = (state.step + 1) * self.params.batch
        half_life = min(self.params.ema_half_life, 0.05 * seen)
        decay = 0.5 ** (self.params.batch / half_life)
        new: list[Tensor] = list(state.generator.parameters())
        old: list[Tensor] = list(state.average.parameters())
        torch._foreach_lerp_(old, new, 1 - decay)
        for target, source in zip(state.average.buffers(), state.generator.buffers(), strict=True):
            target.copy_(source)
