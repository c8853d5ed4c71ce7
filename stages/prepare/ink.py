"""The labels that follow from the ink of a digit by rule: mask, keypoints, depth."""

import numpy as np

INK = 128


def ink_mask(image: np.ndarray, digit: int) -> np.ndarray:
    """(H, W) uint8 image to (H, W) uint8 mask: class digit + 1 where there is ink (at least half of the range)."""
    return np.where(image >= INK, digit + 1, 0).astype(np.uint8)


def ink_keypoints(ink: np.ndarray) -> np.ndarray:
    """(H, W) bool to (5, 3) float32 x, y, visibility: the topmost, bottommost, leftmost and rightmost ink, and the
    centroid. Of several pixels in the outermost row or column the middle one; all unknown without ink."""
    rows, columns = np.nonzero(ink)
    if not len(rows):
        return np.zeros((5, 3), np.float32)
    ends = [
        (_middle(columns[rows == rows.min()]), rows.min()),
        (_middle(columns[rows == rows.max()]), rows.max()),
        (columns.min(), _middle(rows[columns == columns.min()])),
        (columns.max(), _middle(rows[columns == columns.max()])),
        (columns.mean(), rows.mean()),
    ]
    return np.array([(x, y, 2) for x, y in ends], np.float32)


def _middle(places: np.ndarray) -> int:
    return int(np.sort(places)[(len(places) - 1) // 2])


def ink_depth(ink: np.ndarray) -> np.ndarray:
    """(H, W) bool to (H, W) float32: the distance of each ink pixel to the nearest pixel without, in pixels; 0, which
    stands for unknown, where there is no ink."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(ink), np.float32)
