"""Endless passes over a set, a function of the seed alone, so that a resumed run sees the same batches."""

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
