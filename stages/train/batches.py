"""Which rows make up a batch: a function of seed and step alone, so that a resumed run sees the same batches."""

import numpy as np

from stages.common.cycle import Cycle


class Batches:
    """Batches of row numbers; where real and made rows meet, each batch holds the same number of real ones.

    is_real: (N,) bool. real_share: share of real rows in a batch, used when both kinds are there. real_steps: first
    steps that hold real rows alone, if there are any.
    """

    def __init__(self, is_real: np.ndarray, size: int, real_share: float, seed: int, real_steps: int = 0) -> None:
        counts = {True: self._real_count(is_real, size, real_share)}
        counts[False] = size - counts[True]
        self.parts = [
            (Cycle(np.flatnonzero(is_real == kind), seed, int(kind)), count) for kind, count in counts.items() if count
        ]
        self.size, self.real_steps = size, real_steps if is_real.any() else 0

    @staticmethod
    def _real_count(is_real: np.ndarray, size: int, real_share: float) -> int:
        if is_real.all() or not is_real.any():
            return size if is_real.all() else 0
        return min(max(round(size * real_share), 1), size - 1)

    def rows(self, step: int) -> np.ndarray:
        """(size,) row numbers of the batch of this step, counted from 0."""
        if step < self.real_steps:
            return self.parts[0][0].take(step * self.size, self.size)
        return np.concatenate([cycle.take(step * count, count) for cycle, count in self.parts])
