"""Exact and near copies among images."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.prepare.scan import THUMBNAIL, Scan, digest_of, thumbnail

BLOCK = 2048
VERIFY = 16384
# Room for float32 rounding in the first pass, in squared units of the value range; the second pass is exact.
MARGIN = 1e-5
MAX_PAIRS = 2_000_000


@dataclass(frozen=True)
class Copies:
    """Pairs of copies: (P, 2) row numbers, smaller first; (P,) RMS difference; (P,) whether every pixel is equal."""

    pairs: np.ndarray
    rms: np.ndarray
    exact: np.ndarray


def find_copies(digests: Sequence[str], thumbnails: np.ndarray, threshold: float) -> Copies:
    """All pairs with equal digests, and with `threshold` > 0 all whose thumbnails differ by at most that RMS.

    thumbnails: (N, D) uint8. threshold: a share of the value range. Raises UserError beyond two million pairs.
    """
    exact = exact_pairs(digests)
    near, rms = near_pairs(thumbnails, threshold)
    names = np.unique(np.asarray(digests, dtype=str), return_inverse=True)[1]
    different = names[near[:, 0]] != names[near[:, 1]]
    near, rms = near[different], rms[different]
    return Copies(
        pairs=np.concatenate([exact, near]),
        rms=np.concatenate([np.zeros(len(exact)), rms]),
        exact=np.arange(len(exact) + len(near)) < len(exact),
    )


def exact_pairs(digests: Sequence[str]) -> np.ndarray:
    """(P, 2) row numbers of equal digests."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        rows[digest].append(row)
    _refuse_flood(sum(len(same) * (len(same) - 1) // 2 for same in rows.values()))
    pairs = [pair for same in rows.values() for pair in combinations(same, 2)]
    return np.array(pairs, dtype=int).reshape(-1, 2)


def near_pairs(thumbnails: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) row numbers and (P,) RMS differences of thumbnails at most `threshold` apart; none at 0.

    Averaging blocks never enlarges an RMS difference, so comparing a quarter of the pixels first loses no pair.
    """
    pairs, distances = [np.zeros((0, 2), int)], [np.zeros(0)]
    if threshold == 0 or not len(thumbnails):
        return pairs[0], distances[0]
    values = thumbnails.astype(np.float32) / 255
    coarse = _halve(values)
    for candidates in _candidates(coarse - coarse.mean(0), threshold):
        for start in range(0, len(candidates), VERIFY):
            chunk = candidates[start : start + VERIFY]
            rms = np.sqrt(np.mean((values[chunk[:, 0]] - values[chunk[:, 1]]) ** 2, axis=1))
            pairs.append(chunk[rms <= threshold])
            distances.append(rms[rms <= threshold])
        _refuse_flood(sum(map(len, pairs)))
    found, rms = np.concatenate(pairs), np.concatenate(distances)
    order = np.lexsort((found[:, 1], found[:, 0]))
    return found[order], rms[order]


def _halve(values: np.ndarray) -> np.ndarray:
    half = THUMBNAIL // 2
    blocks = values.reshape(len(values), half, 2, half, 2, -1)
    return blocks.mean((2, 4)).reshape(len(values), -1)


def _candidates(values: np.ndarray, threshold: float) -> Iterator[np.ndarray]:
    """Pairs of rows that may be near, block by block: one matrix product gives all squared differences of a block,
    |a|^2 + |b|^2 - 2ab, when the squared lengths ride along as two more columns."""
    squares = (values**2).sum(1, keepdims=True)
    ones = np.ones_like(squares)
    left, right = np.hstack([-2 * values, squares, ones]), np.hstack([values, ones, squares]).T
    limit = np.float32((threshold**2 + MARGIN) * values.shape[1])
    for top in range(0, len(values), BLOCK):
        for side in range(top, len(values), BLOCK):
            near = left[top : top + BLOCK] @ right[:, side : side + BLOCK] <= limit
            # On the flat array this is several times faster than np.nonzero on the block.
            rows, columns = np.divmod(np.flatnonzero(near), near.shape[1])
            pairs = np.stack([rows + top, columns + side], axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def _refuse_flood(pairs: int) -> None:
    if pairs > MAX_PAIRS:
        raise UserError(
            f"prepare.near_duplicate_rms: more than {MAX_PAIRS} pairs of copies; lower it, or remove the copies "
            "from the source"
        )


class Copy(NamedTuple):
    """A file that is a copy of an image of `set`: of all its pixels, or near by this RMS difference."""

    file: str
    image: str
    set: str
    rms: float
    exact: bool


@dataclass(frozen=True)
class HeldOut:
    """The N images that nothing to learn from may be a copy of.

    files: what reports call them. sets: test or val, of each. digests: N strings. thumbnails: (N, D) uint8. threshold:
    as of `find_copies`.
    """

    files: list[str]
    sets: list[str]
    digests: list[str]
    thumbnails: np.ndarray
    threshold: float

    @staticmethod
    def of(scan: Scan, splits: dict[str, np.ndarray], threshold: float) -> "HeldOut":
        """The images of test and val."""
        rows = np.concatenate([splits["test"], splits["val"]])
        sets = ["test"] * len(splits["test"]) + ["val"] * len(splits["val"])
        digests = [scan.digests[row] for row in rows]
        return HeldOut([scan.records[row].file for row in rows], sets, digests, scan.thumbnails[rows], threshold)

    @cached_property
    def _values(self) -> np.ndarray:
        return self.thumbnails.astype(np.float32) / 255

    @cached_property
    def _squares(self) -> np.ndarray:
        return (self._values**2).sum(1)

    def copies(self, file: str, *parts: np.ndarray) -> list[Copy]:
        """What any of these parts of a file, each (H, W, C) uint8 of the same channels, is a copy of."""
        if not self.files or not parts:
            return []
        exact = np.isin(self.digests, [digest_of(part) for part in parts])
        rms = self._least_rms(np.stack([thumbnail(part) for part in parts]).astype(np.float32) / 255)
        near = (rms <= self.threshold) & (self.threshold > 0)
        return [
            Copy(file, self.files[row], self.sets[row], 0.0 if exact[row] else float(rms[row]), bool(exact[row]))
            for row in np.flatnonzero(near | exact)
        ]

    def _least_rms(self, seen: np.ndarray) -> np.ndarray:
        """(N,) RMS difference from the nearest of the thumbnails seen (P, D); inf where it is beyond the threshold.

        As in `_candidates`, |a|^2 + |b|^2 - 2ab finds what may be near; the differences of these alone are exact.
        """
        squares = self._squares[:, None] + (seen**2).sum(1) - 2 * self._values @ seen.T
        rows, parts = np.nonzero(squares <= (self.threshold**2 + MARGIN) * seen.shape[1])
        least = np.full(len(self.files), np.inf)
        np.minimum.at(least, rows, np.sqrt(np.mean((self._values[rows] - seen[parts]) ** 2, axis=1)))
        return least
