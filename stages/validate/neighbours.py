"""Nearest images in a low-pass pixel space: copies of training images and duplicates inside of a set.

A copy survives noise and small shifts in the coarse structure of an image, so images are compared as block means.
The search runs as blocked matrix products over 8x8 block means (one product a shift); each shift's best match is
then measured exactly over finer block means, and the closest one counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SIDE = 32  # images are reduced to at most this side first: shifts are counted in its pixels
FINE, COARSE = 2, 4  # block sizes of the measured and of the searched space
BLOCK_ENTRIES = 1 << 22  # 16 MB of float32 scores at a time: larger blocks leave the cache


@dataclass(frozen=True)
class Nearest:
    """The closest reference of every query: its position (-1 without one) and its distance.

    position: (N,) int64. distance: (N,) float32, root mean square difference in grey levels, inf without one.
    """

    position: np.ndarray
    distance: np.ndarray


def block_mean(images: np.ndarray, factor: int) -> np.ndarray:
    """(N, H, W, C) -> (N, ceil(H / factor), ceil(W / factor), C) float32 means; the last row and column repeat."""
    below, beside = -images.shape[1] % factor, -images.shape[2] % factor
    if below or beside:
        images = np.pad(images, ((0, 0), (0, below), (0, beside), (0, 0)), mode="edge")
    rows = _strided_sum(images, factor, axis=1)
    return _strided_sum(rows, factor, axis=2) / np.float32(factor**2)


def _strided_sum(images: np.ndarray, factor: int, axis: int) -> np.ndarray:
    parts = [images[:, i::factor] if axis == 1 else images[:, :, i::factor] for i in range(factor)]
    total = np.add(parts[0], parts[1] if factor > 1 else 0, dtype=np.float32)
    for part in parts[2:]:
        total += part
    return total


def reduce(images: np.ndarray) -> np.ndarray:
    """(N, H, W, C) uint8 -> float32 with sides of at most SIDE, in grey levels 0 to 255: what `nearest` compares."""
    return block_mean(images, -(-max(images.shape[1:3]) // SIDE))


def shifts(images: np.ndarray, reach: int) -> Iterator[np.ndarray]:
    """(N, H, W, C) moved by up to `reach` whole pixels in each direction; the uncovered border repeats the edge."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge") if reach else images
    for top in range(2 * reach + 1):
        for left in range(2 * reach + 1):
            yield padded[:, top : top + height, left : left + width]


def nearest(
    queries: np.ndarray,
    references: np.ndarray,
    reach: int = 0,
    limits: np.ndarray | None = None,
    own: np.ndarray | None = None,
) -> Nearest:
    """The closest reference of each query, over all shifts of the query by up to `reach` pixels.

    queries, references: (N, H, W, C) and (M, H, W, C) float32 of `reduce`. limits: (N,), query i sees only the
    references before limits[i]. own: (N,), the one reference that query i must not be matched with.
    """
    position = np.full(len(queries), -1)
    distance = np.full(len(queries), np.inf, np.float32)
    fine = block_mean(references, FINE)
    coarse = _flat(block_mean(fine, COARSE // FINE))
    # |q - r|^2 = |q|^2 + (q, 1) . (-2 r, |r|^2): one product, and |q|^2 does not change which r is closest.
    table = np.ascontiguousarray(np.concatenate([-2 * coarse, (coarse**2).sum(axis=1, keepdims=True)], axis=1).T)
    for rows in _blocks(len(queries), len(references)):
        seen = len(references) if limits is None else int(limits[rows].max())
        for moved in shifts(queries[rows], reach) if seen else ():
            here = block_mean(moved, FINE)
            asked = _flat(block_mean(here, COARSE // FINE))
            scores = np.concatenate([asked, np.ones((len(asked), 1), np.float32)], axis=1) @ table[:, :seen]
            _hide(scores, rows, limits, own)
            found = scores.argmin(axis=1)
            gap = np.sqrt(((here - fine[found]) ** 2).mean(axis=(1, 2, 3)))
            closer = (gap < distance[rows]) & np.isfinite(scores[np.arange(len(found)), found])
            distance[rows] = np.where(closer, gap, distance[rows])
            position[rows] = np.where(closer, found, position[rows])
    return Nearest(position, distance)


def _hide(scores: np.ndarray, rows: slice, limits: np.ndarray | None, own: np.ndarray | None) -> None:
    if limits is not None:
        # Only columns from the lowest limit on can be hidden: a small corner of the block.
        first = int(limits[rows].min())
        scores[:, first:][np.arange(first, scores.shape[1]) >= limits[rows, None]] = np.inf
    if own is not None:
        scores[np.arange(len(scores)), own[rows]] = np.inf


def _blocks(queries: int, references: int) -> Iterator[slice]:
    size = max(1, BLOCK_ENTRIES // max(references, 1))
    return (slice(start, min(start + size, queries)) for start in range(0, queries, size))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def usual_distance(reals: np.ndarray, reach: int, quantile: float, most: int) -> float:
    """How close two distinct real images come: a low quantile of the distances from each to the next.

    reals: (M, H, W, C) float32 of `reduce`; at most `most` of them, evenly spaced, are asked. 0 with fewer than two.
    """
    if len(reals) < 2:
        return 0.0
    asked = np.unique(np.linspace(0, len(reals) - 1, min(most, len(reals))).astype(np.int64))
    return float(np.quantile(nearest(reals[asked], reals, reach, own=asked).distance, quantile))
