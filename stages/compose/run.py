"""One training of the synthesizer with its events: log, measure, draw, save, resume."""

import shutil

import torch

from stages.common.checkpoint import WorkFolder
from stages.common.device import seeded
from stages.common.pictures import save_png, strips
from stages.common.progress import Progress
from stages.common.stats import RunningTerms, StatsFile
from stages.common.tensors import to_arrays
from stages.common.tracking import Tracker
from stages.compose.hardness import hardness
from stages.compose.placers import place_by, place_randomly
from stages.compose.state import ComposeState
from stages.compose.training import Trainer

COLUMNS, DRAWN_STREAM = 12, 79
SHOWN = ("synthesizer/target_loss", "synthesizer/critic", "synthesizer/distance", "hardness/learned")


class Run:
    """Drives a Trainer; the work folder holds state, stats and pictures until the stage publishes them."""

    def __init__(self, trainer: Trainer, state: ComposeState, work: WorkFolder, track: Tracker) -> None:
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
        params, last, warm = self.trainer.params, self.trainer.steps, self.trainer.params.warm_up
        self.pictures.mkdir(parents=True, exist_ok=True)
        progress, averages = Progress("compose", last, self.state.step), RunningTerms()
        for terms in self.trainer.run(self.state):
            step = self.state.step
            averages.add(terms)
            looks = step > warm and (step % params.sample_every == 0 or step == last)
            saves = step % params.save_every == 0 or step == last or self.work.overdue()
            # Before a saving too: the means begun are not part of the state.
            if step % params.log_every == 0 or looks or saves:
                row = averages.take() | (self._hardness() if looks else {})
                self._log(row)
                progress.update(step, {name: value for name, value in row.items() if name in SHOWN})
            if looks:
                self.draw(step)
            if saves:
                self.work.save(self.state.save())

    def _hardness(self) -> dict[str, float]:
        places = {"learned": place_by(self.state.synthesizer), "random": place_randomly}
        return {f"hardness/{name}": hardness(self.trainer, self.state, place) for name, place in places.items()}

    def _log(self, row: dict[str, float]) -> None:
        self.stats.append({"step": self.state.step, **row})
        self.track.metrics({f"compose/{name}": value for name, value in row.items()}, step=self.state.step)

    @torch.no_grad()
    def draw(self, step: int) -> None:
        """composites_<step>.png: the same pairs at every step, above placed at random, below by the synthesizer."""
        rows = []
        for place in (place_randomly, place_by(self.state.synthesizer)):
            canvas = self.trainer.composer.compose(place, COLUMNS, seeded(self.trainer.seed, DRAWN_STREAM))
            rows.append(to_arrays(canvas.images))
        scale = max(1, 64 // max(rows[0].shape[1:3]))
        save_png(self.pictures / f"composites_{step:06d}.png", strips(rows, scale=scale))
