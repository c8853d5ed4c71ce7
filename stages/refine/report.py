"""The pictures of a trained refiner."""

from pathlib import Path

import numpy as np

from stages.common.pictures import overlay, save_png, strips
from stages.common.tensors import ImageBank

COLUMNS, ROWS = 12, 3


def write_pictures(
    folder: Path, simulated: ImageBank, refined: ImageBank, real: ImageBank, masks: np.ndarray, classes: int
) -> None:
    """before_after.png: three times a row as simulated, the same refined, and the label on the refined; then real ones.

    masks: (N, H, W) uint8.
    """
    lines: list[np.ndarray] = []
    for row in range(ROWS):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        if len(simulated.arrays[part]) == COLUMNS:
            after = refined.arrays[part]
            lines += [simulated.arrays[part], after, overlay(after, masks[part], classes)]
    lines += [real.arrays[:COLUMNS]] if len(real) >= COLUMNS else []
    if lines:
        save_png(folder / "before_after.png", strips(lines, scale=max(1, 64 // max(simulated.arrays.shape[1:3]))))
