"""One image of a source, read when it is asked for, so that a large pile never has to fit in memory."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec

SPLITS = ("test", "val", "labeled", "unlabeled")


class BadFileError(UserError):
    """A file that may be left out: unreadable or of another size. Its message is `file: reason`."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file, self.reason = file, reason


class Pixels(NamedTuple):
    """image: (H, W, C) uint8. mask: (H, W) uint8 class ids, or None."""

    image: np.ndarray
    mask: np.ndarray | None


@dataclass(frozen=True)
class Record:
    """Where one image is and what its source says about it.

    pool: the set that the source puts it in; images of `labeled` may still be split. group: never on two sides of a
    split. file: what messages and reports call it. read: the pixels; raises UserError.
    """

    source_id: str
    pool: str
    group: str
    file: str
    read: Callable[[], Pixels]


@dataclass(frozen=True)
class Source:
    """All images of a source. Without a pool `unlabeled` the labelled images serve as that too, without labels."""

    spec: DatasetSpec
    records: list[Record]


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
