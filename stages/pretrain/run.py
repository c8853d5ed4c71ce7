"""One training run with its events: log, sample, save, resume."""

import json
import shutil

from accelerate import Accelerator
from torch import Tensor

from stages.common.checkpoint import WorkFolder
from stages.common.progress import Progress
from stages.common.tracking import Tracker
from stages.pretrain.pictures import draw_fakes
from stages.pretrain.state import TrainingState
from stages.pretrain.training import Terms, Trainer


def due(images: int, batch: int, every: int) -> bool:
    """Whether a multiple of `every` images was crossed by the last batch."""
    return images // every > (images - batch) // every


class Run:
    """Drives a Trainer; the work folder holds state, stats and pictures until the stage publishes them."""

    def __init__(self, trainer: Trainer, state: TrainingState, work: WorkFolder, track: Tracker) -> None:
        self.trainer, self.state, self.work, self.track = trainer, state, work, track
        self.main_process = trainer.accelerator.is_main_process
        self.stats = work.path / "stats.jsonl"
        self.pictures = work.path / "pictures"

    def resume(self) -> bool:
        """Go on from the work folder, if it holds a state."""
        saved = self.work.load()
        if saved is None:
            shutil.rmtree(self.work.path, ignore_errors=True) if self.main_process else None
            return False
        self.state.restore(saved)
        if self.main_process:
            self._drop_stats_after(self.state.step)
        return True

    def _drop_stats_after(self, step: int) -> None:
        lines = self.stats.read_text().splitlines() if self.stats.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        self.stats.write_text("".join(f"{line}\n" for line in kept))

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
            if self.state.step % params.log_every == 0 or self.state.step == self.trainer.steps:
                shown = averages.take()
                self._log(shown, images)
            progress.update(self.state.step, {k: shown[k] for k in ("generator", "discriminator") if k in shown})
            if due(images, batch, params.sample_every):
                draw_fakes(self.pictures / f"fakes_{images:08d}.png", self.state.average, 1.0, self.trainer.seed)
            if due(images, batch, params.save_every) or self.work.overdue():
                self.work.save(self.state.save())
        if self.main_process:
            self.work.save(self.state.save())

    def _log(self, terms: dict[str, float], images: int) -> None:
        row = {"step": self.state.step, "images": images, "augment_p": self.state.augment_p, **terms}
        with self.stats.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        self.track.metrics({f"gan/{name}": value for name, value in terms.items()}, step=images)


class RunningTerms:
    """Means of the terms since they were last taken; a term that is not there at every step has its own count."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, terms: Terms) -> None:
        """Take in one step, without waiting for the device."""
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
            self.counts[name] = self.counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means, and start afresh."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Processes as torchrun started them; bf16 autocast on CUDA unless `precision` says otherwise."""
    bf16 = precision == "bf16" or (precision == "auto" and device == "cuda")
    return Accelerator(mixed_precision="bf16" if bf16 else "no", cpu=device == "cpu")
