"""The part of an image around an object."""

import numpy as np

from stages.prepare.cropping import Box, box_around

MARGIN = 0.1
LEAST = 64  # pixels


def box_of(mask: np.ndarray, size: tuple[int, int]) -> Box | None:
    """`box_over` of what an object's mask (H, W) bool shows; None where it shows nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return box_over(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, size) if len(rows) else None


def box_over(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> Box | None:
    """The box over an object's edges, which are measured from the corner of the image, in the proportions of `size`
    (height, width) and with a margin of a tenth of the longer side; None where that side is below 64 pixels."""
    wide, tall = float(right - left), float(bottom - top)
    if max(wide, tall) < LEAST:
        return None
    aspect, margin = size[0] / size[1], 2 * MARGIN * max(wide, tall)
    width = max(wide + margin, (tall + margin) / aspect)
    return box_around((left + right - 1) / 2, (top + bottom - 1) / 2, width, aspect)
