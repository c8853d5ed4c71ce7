"""Facts of label masks."""

from collections.abc import Sequence

import numpy as np

from stages.common.spec import IGNORE


def only(masks: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Masks of any shape with all but these classes set to the background."""
    return np.where(np.isin(masks, list(classes)), masks, 0).astype(np.uint8)


def main_class(mask: np.ndarray) -> int:
    """The class with the most pixels, background and ignored pixels aside; 0 when there is none."""
    counts = np.bincount(mask.ravel(), minlength=256)
    counts[[0, IGNORE]] = 0
    return int(counts.argmax()) if counts.any() else 0
