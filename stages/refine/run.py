"""One training of the refiner with its events: log, draw, save, resume."""

import shutil

import torch
from torch import Tensor

from stages.common.checkpoint import WorkFolder
from stages.common.device import seeded
from stages.common.pictures import save_png, strips
from stages.common.progress import Progress
from stages.common.stats import RunningTerms, StatsFile
from stages.common.tensors import to_arrays
from stages.common.tracking import Tracker
from stages.refine.refining import refined_with_fields
from stages.refine.state import RefineState
from stages.refine.training import Trainer

COLUMNS, DRAWN_STREAM = 12, 62
SHOWN = ("adversarial", "self_reg", "discriminator_real", "discriminator_refined")


class Run:
    """Drives a Trainer; the work folder holds state, stats and pictures until the stage publishes them."""

    def __init__(self, trainer: Trainer, state: RefineState, work: WorkFolder, track: Tracker) -> None:
        self.trainer, self.state, self.work, self.track = trainer, state, work, track
        self.stats = StatsFile(work.path / "stats.jsonl")
        self.pictures = work.path / "pictures"

    def resume(self) -> bool:
        """Go on from the work folder, if it holds a state."""
        saved = self.work.load()
        if saved is None:
            shutil.rmtree(self.work.path, ignore_errors=True)
            return False
        self.state.restore(saved)
        self.stats.drop_after(self.state.step)
        return True

    def train(self) -> None:
        """To the end, with all events."""
        params, last = self.trainer.params, self.trainer.steps
        self.pictures.mkdir(parents=True, exist_ok=True)
        progress, averages = Progress("refine", last, self.state.step), RunningTerms()
        for terms in self.trainer.run(self.state):
            step = self.state.step
            averages.add(terms)
            if step % params.log_every == 0 or step == last:
                progress.update(step, {name: value for name, value in self._log(averages).items() if name in SHOWN})
            if step % params.sample_every == 0 and step > self.trainer.starts[1]:
                self.draw(step)
            if step % params.save_every == 0 or step == last or self.work.overdue():
                self.work.save(self.state.save())

    def _log(self, averages: RunningTerms) -> dict[str, float]:
        terms = averages.take()
        self.stats.append({"step": self.state.step, **terms})
        self.track.metrics({f"refine/{name}": value for name, value in terms.items()}, step=self.state.step)
        return terms

    @torch.no_grad()
    def draw(self, step: int) -> None:
        """refined_<step>.png: the same simulated images at every step, as they were drawn and as they are now."""
        simulated: Tensor = self.trainer.simulated[:COLUMNS]
        refiner = self.state.average
        refined = refined_with_fields(refiner, simulated, seeded(self.trainer.seed, DRAWN_STREAM))[0]
        rows = [to_arrays(simulated), to_arrays(refined)]
        scale = max(1, 64 // max(simulated.shape[2:]))
        save_png(self.pictures / f"refined_{step:06d}.png", strips(rows, scale=scale))
