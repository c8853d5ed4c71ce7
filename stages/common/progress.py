"""One progress line on long work: step, terms, speed, time left."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TypeVar

Item = TypeVar("Item")
QUIET_SECONDS = 60.0


class Progress:
    """Rewrites one line on a terminal; without one it prints a line at each tenth of the work, and every minute."""

    def __init__(self, label: str, total: int, start: int = 0, unit: str = "step") -> None:
        self.label, self.total, self.first, self.unit = label, total, start, unit
        self.begun = time.monotonic()
        self.drawn = self.begun
        self.tenth = start * 10 // max(total, 1)
        self.terminal = sys.stderr.isatty()

    def update(self, done: int, terms: Mapping[str, float] | None = None) -> None:
        """Say that `done` of the total are done."""
        now = time.monotonic()
        tenth = done * 10 // max(self.total, 1)
        if self.terminal and (now - self.drawn > 0.2 or done >= self.total):
            print(f"\r{self.line(done, now, terms)}\033[K", end="", file=sys.stderr, flush=True)
            self.drawn = now
        elif not self.terminal and (tenth > self.tenth or now - self.drawn > QUIET_SECONDS):
            print(self.line(done, now, terms), file=sys.stderr, flush=True)
            self.drawn = now
        self.tenth = tenth
        if self.terminal and done >= self.total:
            print(file=sys.stderr)

    def line(self, done: int, now: float, terms: Mapping[str, float] | None) -> str:
        """`label 120/1000 steps  loss 0.213  41 steps/s  0:21 left`."""
        speed = (done - self.first) / max(now - self.begun, 1e-9)
        left = int((self.total - done) / speed) if speed > 0 else 0
        shown = "".join(f"  {name} {value:.3g}" for name, value in (terms or {}).items())
        clock = f"{left // 60}:{left % 60:02d}"
        return f"{self.label} {done}/{self.total} {self.unit}s{shown}  {speed:.3g} {self.unit}s/s  {clock} left"


def tracked(items: Iterable[Item], label: str, total: int | None = None, unit: str = "step") -> Iterator[Item]:
    """The items, with a progress line."""
    count = total if total is not None else len(items) if isinstance(items, Sized) else 0
    progress = Progress(label, count, unit=unit)
    for done, item in enumerate(items, start=1):
        yield item
        progress.update(done)
