"""One training run with its events: log, sample, save, resume."""

import shutil

from accelerate import Accelerator

from stages.common.checkpoint import WorkFolder
from stages.common.progress import Progress
from stages.common.stats import RunningTerms, StatsFile
from stages.common.tracking import Tracker
from stages.pretrain.pictures import draw_fakes
from stages.pretrain.state import TrainingState
from stages.pretrain.training import Trainer


def due(images: int, batch: int, every: int) -> bool:
    """Whether a multiple of `every` images was crossed by the last batch."""
    return images // every > (images - batch) // every


class Run:
    """Drives a Trainer; the work folder holds state, stats and pictures until the stage publishes them."""

    def __init__(self, trainer: Trainer, state: TrainingState, work: WorkFolder, track: Tracker) -> None:
        self.trainer, self.state, self.work, self.track = trainer, state, work, track
        self.main_process = trainer.accelerator.is_main_process
        self.stats = StatsFile(work.path / "stats.jsonl")
        self.pictures = work.path / "pictures"

    def resume(self) -> bool:
        """Go on from the work folder, if it holds a state."""
        saved = self.work.load()
        if saved is None:
            shutil.rmtree(self.work.path, ignore_errors=True) if self.main_process else None
            return False
        self.state.restore(saved)
        if self.main_process:
            self.stats.drop_after(self.state.step)
        return True

    def train(self) -> None:
        """To the end, with all events on the main process."""
        params, batch = self.trainer.params, self.trainer.params.batch
        self.pictures.mkdir(parents=True, exist_ok=True)
        progress = Progress("pretrain", self.trainer.steps, self.state.step)
        averages, shown = RunningTerms(), dict[str, float]()
        for terms in self.trainer.run(self.state):
            images = self.state.step * batch
            averages.add(terms)
            if not self.main_process:
                continue
            last = self.state.step == self.trainer.steps
            saves = last or due(images, batch, params.save_every) or self.work.overdue()
            # Before a saving too: the means begun are not part of the state.
            if self.state.step % params.log_every == 0 or saves:
                shown = averages.take()
                self._log(shown, images)
            progress.update(self.state.step, {k: shown[k] for k in ("generator", "discriminator") if k in shown})
            if due(images, batch, params.sample_every):
                draw_fakes(self.pictures / f"fakes_{images:08d}.png", self.state.average, 1.0, self.trainer.seed)
            if saves:
                self.work.save(self.state.save())

    def _log(self, terms: dict[str, float], images: int) -> None:
        row = {"step": self.state.step, "images": images, "augment_p": self.state.augment_p, **terms}
        self.stats.append(row)
        self.track.metrics({f"gan/{name}": value for name, value in terms.items()}, step=images)


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Processes as torchrun started them; bf16 autocast on CUDA unless `precision` says otherwise."""
    bf16 = precision == "bf16" or (precision == "auto" and device == "cuda")
    return Accelerator(mixed_precision="bf16" if bf16 else "no", cpu=device == "cpu")
