"""What the formats of keypoints share: the images that go out, and the table of points that comes back.

All three tools count from the upper left corner of the image or (COCO) from the middle of its first pixel, which is
where 0, 0 is here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.exchange.contract import Expected, Size

HIDDEN, SEEN = 1, 2


@dataclass(frozen=True)
class Pointed:
    """An image whose points are to be annotated.

    name: of its file, without suffix. size: (height, width). keypoints: (K, 3) x, y in pixels, 0, 0 the middle of the
    first one, and visibility (0 unknown, 1 hidden, 2 seen) to start from, or None.
    """

    name: str
    size: Size
    keypoints: np.ndarray | None = None


class Mark(NamedTuple):
    """A point by its name; x, y in pixels as in `Pointed`; visibility 1 or 2."""

    label: str
    x: float
    y: float
    visibility: int


def numbered(count: int) -> tuple[str, ...]:
    """Names of keypoints that nobody named: by number, from 0, as `flip` of dataset.yaml counts them."""
    return tuple(f"point-{number}" for number in range(count))


def marks_of(item: Pointed, points: Sequence[str]) -> list[Mark]:
    """The points whose place is known; none without keypoints. Raises ValueError for another number of points."""
    if item.keypoints is None:
        return []
    if item.keypoints.shape != (len(points), 3):
        raise ValueError(f"{item.name}: keypoints of {item.keypoints.shape} for {len(points)} points")
    rows = zip(points, item.keypoints.tolist(), strict=True)
    return [Mark(label, x, y, int(visibility)) for label, (x, y, visibility) in rows if visibility]


def keypoints_of(expected: Expected, marks: Iterable[Mark], where: str) -> np.ndarray:
    """(K, 3) float32 keypoints; those without a mark are 0, 0, 0. The classes expected are the names of the points.

    Raises UserError for a point that is unknown, marked twice or outside of the image.
    """
    table = np.zeros((len(expected.classes), 3), np.float32)
    height, width = expected.size
    for mark in marks:
        if mark.label not in expected.classes:
            known = ", ".join(expected.classes)
            raise UserError(f"{expected.path}: {where}: no point is called {mark.label}; rename it to one of {known}")
        index = list(expected.classes).index(mark.label)
        if table[index, 2]:
            raise UserError(f"{expected.path}: {where}: point {mark.label} is marked twice; remove one of them")
        if not (-0.5 <= mark.x <= width - 0.5 and -0.5 <= mark.y <= height - 0.5):
            raise UserError(f"{expected.path}: {where}: point {mark.label} is outside of the image; move or remove it")
        table[index] = mark.x, mark.y, mark.visibility
    return table


def tables_of(expected: Expected, images: Iterable[tuple[str, Iterable[Mark]]]) -> dict[str, np.ndarray]:
    """(K, 3) keypoints by image name. Raises UserError when an image comes twice."""
    tables: dict[str, np.ndarray] = {}
    for name, marks in images:
        if name in tables:
            raise UserError(f"{expected.path}: {name}: annotated twice; remove one of them")
        tables[name] = keypoints_of(expected, marks, name)
    return tables
