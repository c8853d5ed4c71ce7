"""The pictures of a trained refiner."""

from pathlib import Path

import numpy as np

from stages.common.pictures import overlay, save_png, strips
from stages.common.tensors import ImageBank

COLUMNS, ROWS = 12, 3


def write_pictures(
    folder: Path, simulated: ImageBank, refined: ImageBank, real: ImageBank, masks: np.ndarray | None, classes: int
) -> None:
    """before_after.png: three times a row as simulated, the same refined, and the label on the refined; then real ones.

    masks: (N, H, W) uint8, or None for pictures without labels.
    """
    columns = min(COLUMNS, len(simulated), len(real))
    lines: list[np.ndarray] = []
    for start in range(0, min(ROWS, len(simulated) // columns) * columns, columns):
        part = slice(start, start + columns)
        after = refined.arrays[part]
        lines += [simulated.arrays[part], after]
        lines += [] if masks is None else [overlay(after, masks[part], classes)]
    lines.append(real.arrays[:columns])
    save_png(folder / "before_after.png", strips(lines, scale=max(1, 64 // max(simulated.arrays.shape[1:3]))))
