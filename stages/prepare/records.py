"""One image of a source, read when it is asked for, so that a large pile never has to fit in memory."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec

SPLITS = ("test", "val", "labeled", "oracle", "full", "unlabeled")


class BadFileError(UserError):
    """A file that may be left out: unreadable or of another size. Its message is `file: reason`."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file, self.reason = file, reason


class Pixels(NamedTuple):
    """An image with those of its labels that are there.

    image: (H, W, C) uint8. mask: (H, W) uint8 class ids. keypoints: (K, 3) float32 x, y in pixels (0, 0 is the middle
    of the first pixel) and visibility (0 unknown, 1 hidden, 2 seen). depth: (H, W) float32, 0 = unknown. gaze: (2,)
    float32 pitch, yaw in radians. alpha: (H, W) uint8 opacity. boxes: (K, 5) float32 left, top, right, bottom in pixels
    from the upper left corner, class id. ignored: (J, 5) the same, but finding them is neither right nor wrong, and
    nothing learns from them. class_id: of the whole image.
    """

    image: np.ndarray
    mask: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    depth: np.ndarray | None = None
    gaze: np.ndarray | None = None
    alpha: np.ndarray | None = None
    boxes: np.ndarray | None = None
    ignored: np.ndarray | None = None
    class_id: int | None = None


@dataclass(frozen=True)
class Record:
    """Where one image is and what its source says about it.

    pool: the set that the source puts it in; images of `labeled` may still be split. group: never on two sides of a
    split. file: what messages and reports call it. read: the pixels; raises UserError. parts: images of the same size
    from all over the file that this one is a part of, so that copies in the rest of it are found.
    """

    source_id: str
    pool: str
    group: str
    file: str
    read: Callable[[], Pixels]
    parts: Callable[[], list[np.ndarray]] | None = None


@dataclass(frozen=True)
class Source:
    """All images of a source. Without a pool `unlabeled` the labelled images serve as that too, without labels.

    simulated: labelled images that a simulator drew; they belong to no split. simulate: makes these of the images that
    ended in `labeled` instead. foregrounds, backgrounds: for compositing, from no image of val or test. cut: the
    cut-outs of an image of `labeled`. backdrop: the backgrounds that go with the source unless others are asked for.
    """

    spec: DatasetSpec
    records: list[Record]
    simulated: list[Record] = field(default_factory=list)
    foregrounds: list[Record] = field(default_factory=list)
    backgrounds: list[Record] = field(default_factory=list)
    simulate: Callable[[Sequence[Record]], list[Record]] | None = None
    cut: Callable[[Record], list[Record]] | None = None
    backdrop: Literal["own", "black", "none"] = "none"


def group_of(source_id: str, pool: str, pattern: str | None) -> str:
    """What `pattern` captures in the name; without a pattern a group of its own.

    Raises UserError when the pattern does not match.
    """
    if pattern is None:
        return f"{pool}/{source_id}"
    found = re.search(pattern, source_id)
    if found is None or found[1] is None:
        raise UserError(f"prepare.group_pattern: {pattern} finds no group in {source_id!r} ({pool}); widen the pattern")
    return found[1]
