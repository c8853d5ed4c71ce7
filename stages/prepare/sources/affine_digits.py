"""Digits under random affine maps that keep all of their ink in the frame."""

import math

import numpy as np

from stages.prepare.compositing_params import AffnistParams


def random_matrix(ranges: AffnistParams, random: np.random.Generator) -> np.ndarray:
    """(2, 2) map of x, y: each axis scaled, then sheared sideways, then turned; all drawn evenly."""
    angle = math.radians(random.uniform(-1, 1) * ranges.rotate)
    shear = random.uniform(-1, 1) * ranges.shear
    scale = random.uniform(*ranges.scale, size=2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return turn @ np.array([[1, shear], [0, 1]]) @ np.diag(scale)


def moved_digit(
    image: np.ndarray, size: tuple[int, int], ranges: AffnistParams, random: np.random.Generator
) -> np.ndarray:
    """image (h, w) uint8 under a random map, anywhere in a frame (H, W) uint8 that all of its ink fits in.

    Ink that fits in nowhere is put in the middle.
    """
    matrix = random_matrix(ranges, random)
    low, high = reach(image, matrix)
    free = np.array(size[::-1]) - (high - low)
    # x, y of the frame's corner, seen from the digit's middle.
    shift = np.where(free > 0, random.uniform(0, 1, 2) * free, free / 2) - low
    return mapped(image, matrix, shift, size)


def reach(image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest x, y that ink gets to under the matrix, from the middle of the image, in pixels.

    Interpolation lets a pixel shine one pixel far, so the corners of 2 x 2 pixels around each count.
    """
    rows, columns = np.nonzero(image)
    points = np.stack([columns, rows], axis=1) + 0.5 - np.array(image.shape[::-1]) / 2
    corners = np.concatenate([points + np.array([x, y]) for x in (-1, 1) for y in (-1, 1)]) @ matrix.T
    return corners.min(0), corners.max(0)


def mapped(image: np.ndarray, matrix: np.ndarray, shift: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """image (h, w) uint8 as a frame (H, W) uint8, bilinear: the image's middle lands at `shift`, x and y in pixels from
    the frame's upper left corner."""
    from scipy.ndimage import affine_transform

    back = np.linalg.inv(matrix)[::-1, ::-1]  # rows come first in arrays
    offset = np.array(image.shape) / 2 - 0.5 + back @ (0.5 - shift[::-1])
    found = affine_transform(image.astype(np.float32), back, offset, output_shape=size, order=1, cval=0)
    return np.round(found).astype(np.uint8)
