"""Objects in the middle of a canvas, and images cropped to a frame."""

import numpy as np

from stages.prepare.cropping import Box, cropped
from stages.prepare.reading import resized
from stages.prepare.records import Pixels

SOLID = 128  # of 255: from here on a pixel belongs to the object


def solid_box(alpha: np.ndarray, least: int = SOLID) -> Box:
    """The tightest box around the pixels of alpha (H, W) that are at least so opaque; there must be one."""
    rows, columns = np.flatnonzero((alpha >= least).any(1)), np.flatnonzero((alpha >= least).any(0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)


def on_canvas(pixels: Pixels, size: tuple[int, int], largest: float) -> Pixels:
    """The object cropped to its alpha, scaled down (never up) to `largest` of the frame, in the middle of (H, W).

    image: (H, W, C); the object's colours go on outside of it, so that warping blends no dark seam in.
    """
    assert pixels.alpha is not None
    box = solid_box(pixels.alpha, least=1)
    part = cropped(pixels, box)
    height, width = size
    scale = min(1.0, largest * height / box.height, largest * width / box.width)
    if scale < 1:
        part = resized(part, (max(1, int(box.height * scale)), max(1, int(box.width * scale))))
    rows, columns = part.image.shape[:2]
    placed = cropped(part, Box((columns - width) // 2, (rows - height) // 2, width, height))
    assert placed.alpha is not None
    return placed._replace(image=with_colours_spread(placed.image, placed.alpha))


def with_colours_spread(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """image (H, W, C) with the colour of the nearest solid pixel wherever alpha (H, W) is 0."""
    from scipy.ndimage import distance_transform_edt

    if not (alpha >= SOLID).any():
        return image
    rows, columns = distance_transform_edt(alpha < SOLID, return_distances=False, return_indices=True)
    return np.where((alpha == 0)[:, :, None], image[rows, columns], image)


def scaled_to_cover(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """image (h, w, C), not smaller than (H, W), scaled down until it just covers the frame."""
    rows, columns = image.shape[:2]
    scale = max(size[0] / rows, size[1] / columns)
    height, width = max(size[0], round(rows * scale)), max(size[1], round(columns * scale))
    return resized(Pixels(image), (height, width)).image


def part_of(image: np.ndarray, size: tuple[int, int], random: np.random.Generator | None) -> np.ndarray:
    """The part (H, W, C) of an image that covers the frame; `random` places it, None takes the middle."""
    free = (image.shape[0] - size[0], image.shape[1] - size[1])
    top, left = (space // 2 if random is None else int(random.integers(space + 1)) for space in free)
    return image[top : top + size[0], left : left + size[1]]


def parts_along(image: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Parts (H, W, C) of an image that covers the frame: both ends, the middle, and what lies between.

    They are a 64th of the frame's side apart, or a pixel: a quarter of what one value of a thumbnail covers.
    """
    tops, lefts = (_places(image.shape[axis] - size[axis], max(1, size[axis] // 64)) for axis in (0, 1))
    return [image[top : top + size[0], left : left + size[1]] for top in tops for left in lefts]


def _places(free: int, step: int) -> list[int]:
    return sorted({*range(0, free + 1, step), free // 2, free})
