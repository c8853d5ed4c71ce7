"""COCO's segmentations: polygons and run lengths, to masks."""

from collections.abc import Sequence
from types import UnionType
from typing import Any

import numpy as np

Size = tuple[int, int]


def decoded(segmentation: Any, size: Size) -> np.ndarray:
    """(H, W) bool from polygons, run lengths or packed run lengths of an image of this size.

    Raises ValueError when it is none of these or of another size.
    """
    if isinstance(segmentation, list):
        return polygons_mask(segmentation, size)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= set(segmentation):
        raise ValueError("neither polygons nor run lengths")
    if segmentation["size"] != list(size):
        raise ValueError(f"run lengths for {segmentation['size']}, but the image is {list(size)}")
    counts = segmentation["counts"]
    return runs_mask(unpacked(counts) if isinstance(counts, str) else counts, size)


def polygons_mask(polygons: Sequence[Sequence[float]], size: Size) -> np.ndarray:
    """(H, W) bool: pixels whose middle lies in any of the polygons x, y, x, y, ..., from the image's corner."""
    from skimage.draw import polygon2mask

    mask = np.zeros(size, bool)
    for polygon in polygons:
        if not _all_are(polygon, int | float):
            raise ValueError("a polygon that is no list of numbers")
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers")
        points = np.asarray(polygon, float).reshape(-1, 2)[:, ::-1]
        if not np.isfinite(points).all():
            raise ValueError("a polygon with numbers that are not finite")
        mask |= polygon2mask(size, points - 0.5)
    return mask


def _all_are(numbers: object, kind: type | UnionType) -> bool:
    return isinstance(numbers, list | tuple) and all(isinstance(number, kind) for number in numbers)


def runs_mask(counts: Sequence[int], size: Size) -> np.ndarray:
    """(H, W) bool: lengths of runs of pixels, outside and inside in turn, column by column."""
    if not _all_are(counts, int):
        raise ValueError("run lengths that are no list of whole numbers")
    if any(count < 0 for count in counts) or sum(counts) != size[0] * size[1]:
        raise ValueError(f"run lengths do not add up to {size[0]} x {size[1]} pixels")
    lengths = np.asarray(counts, np.int64)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size[1], size[0]).T


def unpacked(text: str) -> list[int]:
    """The run lengths that COCO packs into text: 5 bits a character, lowest first, a sixth says that more follow; from
    the fourth number on differences to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"packed run lengths hold {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("packed run lengths are cut off")
    return counts
