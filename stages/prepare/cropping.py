"""A part of an image with its labels."""

from typing import NamedTuple

import numpy as np

from stages.prepare.records import Pixels


class Box(NamedTuple):
    """A rectangle of whole pixels; it may reach over the borders of the image."""

    left: int
    top: int
    width: int
    height: int


def box_around(x: float, y: float, width: float, aspect: float) -> Box:
    """The box `width` pixels wide and `width * aspect` high whose middle is nearest to the point x, y (0, 0 is the
    middle of the first pixel)."""
    columns, rows = max(round(width), 1), max(round(width * aspect), 1)
    return Box(round(x + 0.5 - columns / 2), round(y + 0.5 - rows / 2), columns, rows)


def reaches_out(box: Box, image: np.ndarray) -> bool:
    """Whether part of the box lies outside of the (H, W, ...) image."""
    height, width = image.shape[:2]
    return box.left < 0 or box.top < 0 or box.left + box.width > width or box.top + box.height > height


def cropped(pixels: Pixels, box: Box) -> Pixels:
    """The pixels in the box, with their labels."""
    maps = (pixels.mask, pixels.depth, pixels.alpha)
    mask, depth, alpha = (None if values is None else window(values, box) for values in maps)
    keypoints = None if pixels.keypoints is None else moved(pixels.keypoints, box)
    return pixels._replace(image=window(pixels.image, box), mask=mask, depth=depth, keypoints=keypoints, alpha=alpha)


def window(values: np.ndarray, box: Box) -> np.ndarray:
    """The values (H, W, ...) in the box; outside of them everything is 0."""
    found = np.zeros((box.height, box.width, *values.shape[2:]), values.dtype)
    rows, columns = (slice(max(0, -low), max(0, -low) + values.shape[axis]) for axis, low in enumerate(box[1::-1]))
    there = values[max(0, box.top) : max(0, box.top + box.height), max(0, box.left) : max(0, box.left + box.width)]
    found[rows, columns][: there.shape[0], : there.shape[1]] = there
    return found


def moved(keypoints: np.ndarray, box: Box) -> np.ndarray:
    """Keypoints (K, 3) as the crop has them; known ones that fall out of it count as hidden."""
    x, y, visibility = keypoints[:, 0] - box.left, keypoints[:, 1] - box.top, keypoints[:, 2]
    there = inside(np.stack([x, y], axis=1), (box.height, box.width))
    return np.stack([x, y, np.where(there, visibility, np.minimum(visibility, 1))], axis=1).astype(np.float32)


def inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(K,) bool: which points (K, 2 or more), x and y first, lie on a pixel of an image of `size` (height, width)."""
    x, y = points[:, 0], points[:, 1]
    found: np.ndarray = (x >= -0.5) & (x < size[1] - 0.5) & (y >= -0.5) & (y < size[0] - 0.5)
    return found
