"""Facts of label masks."""

import numpy as np

from stages.common.spec import IGNORE


def main_class(mask: np.ndarray) -> int:
    """The class with the most pixels, background and ignored pixels aside; 0 when there is none."""
    counts = np.bincount(mask.ravel(), minlength=256)
    counts[[0, IGNORE]] = 0
    return int(counts.argmax()) if counts.any() else 0
