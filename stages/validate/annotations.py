"""The facts of labels that are boxes, classes of whole images, keypoints or depth.

They are described in the words of masks where these fit: a box is a region, and what it covers is labelled.
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
    if spec.labels == "image":
        return class_facts(samples.class_ids, spec)
    found = keypoint_facts(samples.keypoints, spec.size) if spec.keypoints and len(samples.keypoints) else {}
    return found | (depth_facts(samples.depth) if spec.depth and len(samples.depth) else {})


def keypoint_facts(keypoints: np.ndarray, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Facts of keypoints (N, K, 3) in images of `size`: how many are known, how many of these lie outside or have no
    place, and the diagonal of the box around them in pixels, nan where fewer than two are known."""
    known = keypoints[:, :, 2] > 0
    places = np.where(known[..., None], keypoints[:, :, :2], np.nan)
    limits = np.array([size[1], size[0]]) - 0.5
    inside = ((places >= -0.5) & (places <= limits)).all(axis=2)
    spans = np.full((len(keypoints), 2), np.nan)
    enough = np.isfinite(places).all(axis=2).sum(axis=1) > 1
    spans[enough] = np.nanmax(places[enough], axis=1) - np.nanmin(places[enough], axis=1)
    return {
        "labelled_pixels": known.sum(axis=1).astype(np.float64),
        "keypoints_outside": (known & ~inside).sum(axis=1).astype(np.float64),
        "largest_region": np.linalg.norm(spans, axis=1),
    }


def depth_facts(depth: np.ndarray) -> dict[str, np.ndarray]:
    """Facts of depth (N, H, W): how many pixels are negative or no number, how many are known and their share, and
    their median, nan where none is known."""
    known = np.isfinite(depth) & (depth > 0)
    count = known.sum(axis=(1, 2)).astype(np.float64)
    medians = [
        float(np.median(values[there])) if there.any() else np.nan for values, there in zip(depth, known, strict=True)
    ]
    return {
        "invalid_depth": (~np.isfinite(depth) | (depth < 0)).sum(axis=(1, 2)).astype(np.float64),
        "labelled_pixels": count,
        "foreground_share": np.where(count > 0, count / depth[0].size, np.nan),
        "median_depth": np.array(medians, np.float64),
    }


def misplaced(keypoints: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(N,): how far, as a multiple of its extent, an image's keypoints (N, K, 3) lie from where those of the reference
    (M, K, 3) do at most; nan where fewer than two are known. Images are compared after moving the mean of their known
    keypoints to 0 and scaling their root mean square distance from it to 1."""
    mean = np.nanmean(_arranged(reference), axis=0)
    apart = np.linalg.norm(_arranged(keypoints) - mean, axis=2)
    found = np.full(len(keypoints), np.nan)
    some = np.isfinite(apart).any(axis=1)
    found[some] = np.nanmax(apart[some], axis=1)
    return found


def _arranged(keypoints: np.ndarray) -> np.ndarray:
    """(N, K, 2), nan for what is not known."""
    known = keypoints[:, :, 2] > 0
    places = np.where(known[..., None], keypoints[:, :, :2], np.nan).astype(np.float64)
    enough = known.sum(axis=1) > 1
    arranged = np.full(places.shape, np.nan)
    centred = places[enough] - np.nanmean(places[enough], axis=1, keepdims=True)
    scale = np.sqrt(np.nanmean((centred**2).sum(axis=2), axis=1))
    arranged[enough] = centred / np.where(scale > 0, scale, np.nan)[:, None, None]
    return arranged


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
