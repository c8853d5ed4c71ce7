"""Training one seed: batches in, the kept weights and the history out; resumable."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from stages.common.checkpoint import random_state, restore_random_state
from stages.common.device import seeded
from stages.common.tensors import to_images
from stages.common.warp import random_affine, warp_images
from stages.train.augment import jitter_colours
from stages.train.batches import Batches
from stages.train.learner import Learner
from stages.train.params import TrainParams
from stages.train.targets.base import Target

AUGMENT_STREAM = 7
VALIDATION_BATCH = 128


@dataclass(frozen=True)
class LabelledData:
    """Images (N, H, W, C) uint8, their labels in the target's form, and which rows are real (N,) bool."""

    images: np.ndarray
    labels: Tensor
    is_real: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class Outcome:
    """What a seed has come to: the weights that are kept and how they came about. All of it survives a kill.

    value: the validation score of the kept weights, None without validation images. loss: mean since the last look.
    history: a row a look at the validation images. stale: looks since the last better value.
    """

    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    value: float | None = None
    kept_step: int = 0
    stale: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Store(Protocol):
    """Where the state of a seed is kept: `stages.common.checkpoint.WorkFolder`."""

    def save(self, state: dict[str, Any], name: str = ...) -> None:
        """Write a state under a name."""

    def load(self, name: str = ...) -> dict[str, Any] | None:
        """What was written last, or None."""

    def overdue(self) -> bool:
        """Whether the last writing was too long ago."""


OnStep = Callable[[int, Outcome], None]


class SeedRun:
    """One seed in training."""

    learner: Learner
    learner_class: ClassVar[type[Learner]] = Learner

    def __init__(
        self,
        target: Target,
        data: LabelledData,
        validation: LabelledData | None,
        params: TrainParams,
        seed: int,
        device: torch.device,
    ) -> None:
        torch.manual_seed(seed)
        self.target, self.data, self.validation, self.params, self.seed = target, data, validation, params, seed
        self.learner = self.learner_class(target, params, device, target.balance(data.labels))
        self.batches = Batches(data.is_real, params.batch, params.real_share, seed, params.real_steps)
        self.outcome = Outcome()
        self.device = device
        self.losses = torch.zeros(2, dtype=torch.float64, device=device)

    def step(self) -> None:
        """One update of the weights."""
        terms = self._update(self.outcome.step)
        loss = torch.stack(list(terms.values())).sum()
        self.losses += torch.stack([loss, torch.ones_like(loss)])
        self.outcome.step += 1

    def _update(self, step: int) -> Mapping[str, Tensor]:
        return self.learner.update(step, *self._batch(step))

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self.batches.rows(step)
        images = to_images(self.data.images[rows]).to(self.device)
        labels = self.data.labels[torch.from_numpy(rows)].to(self.device)
        generator = seeded(self.seed, AUGMENT_STREAM, step)
        augment = self.params.augment
        maps = random_affine(len(rows), (images.shape[2], images.shape[3]), augment, generator)
        return jitter_colours(warp_images(images, maps), augment, generator), self.target.warp(labels, maps)

    def look(self) -> None:
        """Validate, write a row of the history, keep the weights when they are to be kept."""
        outcome = self.outcome
        total, count = self.losses.tolist()
        outcome.loss = total / max(count, 1)
        self.losses.zero_()
        value = self._validate()
        row = {"seed": float(self.seed), "step": float(outcome.step), "loss": outcome.loss}
        outcome.history.append(row if value is None else row | {f"val_{self.target.metric.name}": value})
        better = value is not None and (outcome.value is None or self.target.metric.better(value, outcome.value))
        outcome.stale = 0 if better else outcome.stale + 1
        if self._keeps_last() or better:
            outcome.weights, outcome.value, outcome.kept_step = self.learner.weights(), value, outcome.step

    def _validate(self) -> float | None:
        if self.validation is None:
            return None
        images = self.validation.images
        chunks = [images[start : start + VALIDATION_BATCH] for start in range(0, len(images), VALIDATION_BATCH)]
        predictions = torch.cat([self.learner.predict(to_images(chunk)) for chunk in chunks])
        return self.target.scores(predictions, self.validation.labels)[self.target.metric.name]

    def _keeps_last(self) -> bool:
        return self.validation is None or self.params.select == "last"

    def done(self) -> bool:
        """Whether the budget is used up, or patience is."""
        patience = self.params.patience if not self._keeps_last() else 0
        return self.outcome.step >= self.params.steps or 0 < patience <= self.outcome.stale

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step or a look changes."""
        learner, outcome = self.learner.state_dict(), asdict(self.outcome)
        return {"learner": learner, "outcome": outcome, "losses": self.losses, "random": random_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`."""
        self.learner.load_state_dict(state["learner"])
        self.outcome = Outcome(**state["outcome"])
        self.losses.copy_(state["losses"])
        restore_random_state(state["random"])


def checkpoint_name(seed: int, step: int) -> str:
    """What the store calls the weights of a seed after a step."""
    return f"seed-{seed}-step-{step}.pt"


def train_seed(run: SeedRun, store: Store, on_step: OnStep) -> Outcome:
    """Train until the budget is used up, from where `store` has it; the same weights with or without a kill."""
    params, name = run.params, f"seed-{run.seed}.pt"
    state = store.load(name)
    if state is not None:
        run.load_state_dict(state)
    since, before = time.monotonic(), run.outcome.seconds
    while not run.done():
        run.step()
        step = run.outcome.step
        if step % params.validate_every == 0 or step == params.steps:
            run.look()
        if step in params.checkpoint_steps or (params.checkpoints and run.done()):
            store.save({"weights": run.learner.weights()}, checkpoint_name(run.seed, step))
        if step % params.save_every == 0 or run.done() or store.overdue():
            run.outcome.seconds = before + time.monotonic() - since
            store.save(run.state_dict(), name)
        on_step(step, run.outcome)
    return run.outcome
