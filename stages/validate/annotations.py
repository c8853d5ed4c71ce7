"""The facts of labels that are boxes or classes of whole images.

Boxes are described in the words of masks where these fit: a box is a region, and what it covers is labelled.
"""

import numpy as np

from stages.common.spec import DatasetSpec
from stages.validate.reading import JudgedSet

TOLERANCE = 0.01  # pixels that a box may reach over the border: rounding of 32 bit numbers, with a margin


def class_column(index: int) -> str:
    """Name of the column that says whether class `index` is in a label."""
    return f"has_class_{index}"


def annotation_facts(samples: JudgedSet, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """(N,) facts by name, of the kind of labels that the data set has; none for masks."""
    if spec.labels == "boxes":
        return box_facts(samples.boxes, spec)
    return class_facts(samples.class_ids, spec) if spec.labels == "image" else {}


def box_facts(boxes: tuple[np.ndarray, ...], spec: DatasetSpec) -> dict[str, np.ndarray]:
    """Facts of the boxes (K, 5) of each image: how many reach out of the image, have no area or are of no known class;
    the pixels that they cover together; the area of the largest; which classes there are."""
    covered = np.array([covered_pixels(rows, spec.size) for rows in boxes], np.float64)
    count = np.array([len(rows) for rows in boxes], np.float64)
    present = {class_column(c): np.array([float((rows[:, 4] == c).any()) for rows in boxes]) for c in spec.foreground}
    return {
        "boxes_outside": np.array([outside(rows, spec.size).sum() for rows in boxes], np.float64),
        "boxes_without_area": np.array([(_areas(rows) <= 0).sum() for rows in boxes], np.float64),
        "unknown_boxes": np.array([(~np.isin(rows[:, 4], spec.foreground)).sum() for rows in boxes], np.float64),
        "labelled_pixels": covered,
        "foreground_share": np.where(count > 0, covered / (spec.size[0] * spec.size[1]), np.nan),
        "classes": sum(present.values(), np.zeros(len(boxes))),
        "regions": count,
        "largest_region": np.array([_areas(rows).max() if len(rows) else np.nan for rows in boxes]),
        "smallest_region": np.array([_areas(rows).min() if len(rows) else np.nan for rows in boxes]),
        **present,
    }


def outside(rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(K,) bool: which boxes (K, 5) reach over the borders of an image of `size` (height, width)."""
    before, behind = -rows[:, :2], rows[:, 2:4] - np.array([size[1], size[0]])
    beyond: np.ndarray = np.concatenate([before, behind], axis=1).max(axis=1)
    return beyond > TOLERANCE


def _areas(rows: np.ndarray) -> np.ndarray:
    """(K,) pixels; 0 where a side has no length."""
    return np.clip(rows[:, 2:4] - rows[:, :2], 0, None).prod(axis=1)


def covered_pixels(rows: np.ndarray, size: tuple[int, int]) -> int:
    """How many pixels have their middle in a box."""
    covered = np.zeros(size, bool)
    for left, top, right, bottom in np.clip(np.round(rows[:, :4]), 0, None).astype(int).tolist():
        covered[top:bottom, left:right] = True
    return int(covered.sum())


def class_facts(class_ids: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """Facts of the classes (N,) of whole images, nan for none: whether there is one, whether it is known, which."""
    missing = np.isnan(class_ids)
    present = {class_column(c): (class_ids == c).astype(np.float64) for c in spec.foreground}
    return {
        "missing_class": missing.astype(np.float64),
        "unknown_class": np.where(missing, np.nan, ~np.isin(class_ids, spec.foreground)),
        "classes": sum(present.values(), np.zeros(len(class_ids))),
        **present,
    }
