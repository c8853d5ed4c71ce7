"""Facts of label masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import IGNORE

LEAST = 16  # pixels: smaller spots of a class are slips of the labelling, or too little to recognise


def only(masks: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Masks of any shape with all but these classes set to the background."""
    return np.where(np.isin(masks, list(classes)), masks, 0).astype(np.uint8)


def main_class(mask: np.ndarray) -> int:
    """The class with the most pixels, background and ignored pixels aside; 0 when there is none."""
    counts = np.bincount(mask.ravel(), minlength=256)
    counts[[0, IGNORE]] = 0
    return int(counts.argmax()) if counts.any() else 0


def regions(mask: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(class id, (H, W) bool) of each region of a foreground class, corners connect, of at least LEAST pixels."""
    from scipy.ndimage import label

    found = []
    for class_id in np.setdiff1d(mask, [0, IGNORE]).tolist():
        numbers, count = label(mask == class_id, structure=np.ones((3, 3)))
        sizes = np.bincount(numbers.ravel(), minlength=count + 1)
        found += [(class_id, numbers == number) for number in range(1, count + 1) if sizes[number] >= LEAST]
    return found


def class_ids(ids: np.ndarray, path: Path, size: tuple[int, int], classes: int) -> np.ndarray:
    """(H, W) uint8 class ids, as the pixels of a file say them.

    Raises UserError when they are no map of class ids, of another size than the image, or out of range.
    """
    if ids.ndim != 2:
        raise UserError(f"{path}: {ids.shape[2]} channels, but a mask has one, holding class ids")
    if ids.shape != size:
        raise UserError(
            f"{path}: the mask is {ids.shape[0]} x {ids.shape[1]} pixels, but its image is {size[0]} x {size[1]}"
        )
    strange = np.setdiff1d(ids, [*range(classes), IGNORE])
    if len(strange):
        raise UserError(
            f"{path}: class id {strange[0]} is out of range; the {classes} classes of dataset.yaml are "
            f"0 to {classes - 1}, and {IGNORE} is ignored"
        )
    return ids.astype(np.uint8)
