"""One training with its events: log, measure, draw, save, resume. Each stage says what it draws, and from when on."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor

from stages.common.checkpoint import WorkFolder
from stages.common.progress import Progress
from stages.common.stats import RunningTerms, StatsFile
from stages.common.tracking import Tracker


class Rhythm(Protocol):
    """Steps between two rows of stats, two pictures, two savings."""

    @property
    def log_every(self) -> int: ...
    @property
    def sample_every(self) -> int: ...
    @property
    def save_every(self) -> int: ...


class Resumable(Protocol):
    """All that changes in a training."""

    step: int

    def save(self) -> dict[str, Any]: ...
    def restore(self, saved: dict[str, Any]) -> None: ...


class Stepwise(Protocol):
    """A trainer: `run` takes a state to the last step, and yields the terms of every step by name."""

    @property
    def params(self) -> Rhythm: ...
    @property
    def steps(self) -> int: ...
    def run(self, state: Any) -> Iterator[Mapping[str, Tensor]]: ...


TrainerT = TypeVar("TrainerT", bound=Stepwise)
StateT = TypeVar("StateT", bound=Resumable)


class TrainingRun(ABC, Generic[TrainerT, StateT]):
    """Drives a trainer; the work folder holds state, stats and pictures until the stage publishes them."""

    stage: ClassVar[str]
    shown: ClassVar[tuple[str, ...]]
    """Terms on the progress line."""

    def __init__(self, trainer: TrainerT, state: StateT, work: WorkFolder, track: Tracker) -> None:
        self.trainer, self.state, self.work, self.track = trainer, state, work, track
        self.stats = StatsFile(work.path / "stats.jsonl")
        self.pictures = work.path / "pictures"

    @property
    @abstractmethod
    def unseen(self) -> int:
        """Steps at the start that are neither measured nor drawn."""

    @abstractmethod
    def draw(self) -> None:
        """Save the picture of this step under `pictures`."""

    def measure(self) -> dict[str, float]:
        """Figures, beside the trainer's terms, for the rows of the steps that are drawn."""
        return {}

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
        self.pictures.mkdir(parents=True, exist_ok=True)
        progress, means = Progress(self.stage, self.trainer.steps, self.state.step), RunningTerms()
        for terms in self.trainer.run(self.state):
            means.add(terms)
            looks = self._due(self.trainer.params.sample_every) and self.state.step > self.unseen
            saves = self._due(self.trainer.params.save_every) or self.work.overdue()
            # Before a saving too: the means begun are not part of the state.
            if self._due(self.trainer.params.log_every) or looks or saves:
                row = means.take() | (self.measure() if looks else {})
                self._log(row)
                progress.update(self.state.step, {name: row[name] for name in row if name in self.shown})
            if looks:
                self.draw()
            if saves:
                self.work.save(self.state.save())

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0 or self.state.step == self.trainer.steps

    def _log(self, row: Mapping[str, float]) -> None:
        self.stats.append({"step": self.state.step, **row})
        self.track.metrics({f"{self.stage}/{name}": value for name, value in row.items()}, step=self.state.step)
