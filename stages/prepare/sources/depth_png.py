"""depth/ beside images/: the depth of every pixel as grey value of a PNG file with 16 bits, 0 where it is unknown."""

from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.prepare.reading import WIDE_MODES, open_label, refuse_other_shape

FOLDER = "depth"
LACKING = "no such depth map; every labelled image needs one of the same name"


def read_depth(path: Path, size: tuple[int, int], unit_m: float) -> np.ndarray:
    """(H, W) float32 metres of an image of this size, 0 = unknown. unit_m: metres a step of the grey value.

    Raises UserError when the file is missing, unreadable, of another size, or not grey with 16 bits.
    """
    return (read_wide(path, size, "depth map", LACKING).astype(np.float64) * unit_m).astype(np.float32)


def read_wide(path: Path, size: tuple[int, int], what: str, lacking: str) -> np.ndarray:
    """(H, W) grey values of a file with 16 bits, of `what` its image of this size has.

    Raises UserError when the file is missing, as `lacking` says, unreadable, of another size, or of other bits.
    """
    opened = open_label(path, lacking)
    if opened.mode not in WIDE_MODES or opened.mode == "F":
        raise UserError(f"{path}: mode {opened.mode}, but a {what} is grey with 16 bits; save it so")
    values = np.asarray(opened)
    refuse_other_shape(path, values.shape, size, what)
    return values
