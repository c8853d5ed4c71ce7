"""Training every seed of a recipe, one after the other, with a progress line and the tracker fed at each look."""

import numpy as np
import torch

from stages.common.progress import Progress
from stages.common.tracking import Tracker
from stages.train.mean_teacher import MeanTeacherRun
from stages.train.targets.base import Target
from stages.train.training import LabelledData, Outcome, SeedRun, Store, train_seed


def train_seeds(
    target: Target,
    data: LabelledData,
    validation: LabelledData | None,
    shared_seed: int,
    device: torch.device,
    store: Store,
    tracker: Tracker,
    recipe: str,
    pool: np.ndarray | None = None,
) -> dict[int, Outcome]:
    """What each seed has come to, by seed: the shared one plus each of `seeds`. pool: unlabelled images
    (M, H, W, C) uint8 to learn from as a mean teacher does."""
    outcomes: dict[int, Outcome] = {}
    for seed in sorted(shared_seed + offset for offset in target.params.seeds):
        if pool is None:
            run = SeedRun(target, data, validation, target.params, seed, device)
        else:
            run = MeanTeacherRun(target, data, validation, target.params, seed, device, pool)
        outcomes[seed] = train_seed(run, store, Watcher(run, tracker, f"train@{recipe} seed {seed}"))
        print(f"  seed {seed}: {_sentence(outcomes[seed], target.metric.name)}", flush=True)
    return outcomes


class Watcher:
    """Draws the progress line after each step and logs each new row of the history."""

    def __init__(self, run: SeedRun, tracker: Tracker, label: str) -> None:
        self.run, self.tracker, self.label = run, tracker, label
        self.progress: Progress | None = None
        self.logged = 0

    def __call__(self, step: int, outcome: Outcome) -> None:
        if self.progress is None:
            # A resumed seed starts in the middle: its speed counts from there.
            self.progress = Progress(self.label, self.run.params.steps, start=step - 1)
        shown = {name: value for name, value in (outcome.history or [{}])[-1].items() if name not in ("seed", "step")}
        self.progress.update(step, shown)
        for row in outcome.history[self.logged :]:
            numbers = {f"train/seed-{self.run.seed}/{n}": v for n, v in row.items() if n not in ("seed", "step")}
            self.tracker.metrics(numbers, step=int(row["step"]))
        self.logged = len(outcome.history)


def _sentence(outcome: Outcome, selection: str) -> str:
    value = "" if outcome.value is None else f", {selection} {outcome.value:.3f} on the validation images"
    return f"weights of step {outcome.kept_step} kept{value}, {outcome.seconds:.1f} s"
