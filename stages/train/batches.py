"""Which rows make up a batch: a function of seed and step alone, so that a resumed run sees the same batches."""

import numpy as np
import torch

from stages.common.device import seeded


class Cycle:
    """Endless shuffled rounds over some rows: each comes once before any comes again."""

    def __init__(self, rows: np.ndarray, *seed: int) -> None:
        self.rows, self.seed = rows, seed
        self._orders: dict[int, np.ndarray] = {}

    def take(self, start: int, count: int) -> np.ndarray:
        """The rows at positions start .. start + count - 1."""
        rounds, places = np.divmod(np.arange(start, start + count), len(self.rows))
        self._orders = {number: self._order(number) for number in np.unique(rounds).tolist()}
        chosen = [self._orders[number][place] for number, place in zip(rounds.tolist(), places.tolist(), strict=True)]
        return self.rows[chosen]

    def _order(self, number: int) -> np.ndarray:
        known = self._orders.get(number)
        return known if known is not None else torch.randperm(len(self.rows), generator=self._generator(number)).numpy()

    def _generator(self, number: int) -> torch.Generator:
        return seeded(*self.seed, number)


class Batches:
    """Batches of row numbers; where real and made rows meet, each batch holds the same number of real ones.

    is_real: (N,) bool. real_share: share of real rows in a batch, used when both kinds are there.
    """

    def __init__(self, is_real: np.ndarray, size: int, real_share: float, seed: int) -> None:
        counts = {True: self._real_count(is_real, size, real_share)}
        counts[False] = size - counts[True]
        self.parts = [
            (Cycle(np.flatnonzero(is_real == kind), seed, int(kind)), count) for kind, count in counts.items() if count
        ]

    @staticmethod
    def _real_count(is_real: np.ndarray, size: int, real_share: float) -> int:
        if is_real.all() or not is_real.any():
            return size if is_real.all() else 0
        return min(max(round(size * real_share), 1), size - 1)

    def rows(self, step: int) -> np.ndarray:
        """(size,) row numbers of the batch of this step, counted from 0."""
        return np.concatenate([cycle.take(step * count, count) for cycle, count in self.parts])
