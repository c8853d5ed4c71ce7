"""Grids and overlays, drawn with numpy and Pillow alone."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.common.gaze import vectors_of
from stages.common.spec import IGNORE

ARROW_SIDE = 128  # pixels of the longer side, at least, of a picture with an arrow
ARROW = 0.6  # of the width of the picture, for a direction at a right angle to the camera
YELLOW = (255, 221, 0)


def palette(classes: int) -> np.ndarray:
    """(256, 3) uint8 colours: background black, well separated hues, ignore grey."""
    colours = np.zeros((256, 3), np.uint8)
    for index in range(1, classes):
        hue = (index * 0.381966) % 1.0
        value = 1.0 if index % 2 else 0.8
        colours[index] = np.round(np.array(colorsys.hsv_to_rgb(hue, 0.85, value)) * 255)
    colours[IGNORE] = 128
    return colours


def as_rgb(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 1 or 3) uint8 -> (N, H, W, 3)."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images


def colour_masks(masks: np.ndarray, classes: int) -> np.ndarray:
    """(N, H, W) class ids -> (N, H, W, 3) colours."""
    return palette(classes)[masks]


def overlay(images: np.ndarray, masks: np.ndarray, classes: int, strength: float = 0.5) -> np.ndarray:
    """Images (N, H, W, C) with the labelled pixels tinted by class; the background stays as it is."""
    rgb = as_rgb(images).astype(np.float32)
    tinted = rgb * (1 - strength) + colour_masks(masks, classes) * strength
    return np.where((masks > 0)[..., None], tinted, rgb).round().astype(np.uint8)


def mark_points(images: np.ndarray, points: np.ndarray, side: int = 1) -> np.ndarray:
    """Images (N, H, W, C), `enlarged`, with a dot a point, in a colour of its own: (N, sH, sW, 3).

    points: (N, K, 3) x, y in pixels and visibility: 2 gives a disc, 1 a ring, 0 nothing.
    """
    pairs, scale = zip(enlarged(images, side), points, strict=True), enlarging(images, side)
    return np.stack([_marked(image, some, scale) for image, some in pairs])


def _marked(image: np.ndarray, points: np.ndarray, scale: int) -> np.ndarray:
    picture = Image.fromarray(image)
    draw, radius = ImageDraw.Draw(picture), max(2, round(max(image.shape[:2]) / 100))
    colours = np.resize(palette(IGNORE)[1:IGNORE], (len(points), 3))
    for (x, y, visibility), colour in zip(points.tolist(), colours.tolist(), strict=True):
        centre = ((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5)
        if visibility > 0:
            draw.circle(centre, radius, fill=tuple(colour) if visibility > 1 else None, outline=tuple(colour))
    return np.asarray(picture)


def enlarged(images: np.ndarray, side: int = ARROW_SIDE) -> np.ndarray:
    """(N, H, W, C) to (N, sH, sW, 3), s a whole number, so that the longer side has at least `side` pixels."""
    scale = enlarging(images, side)
    return as_rgb(images).repeat(scale, axis=1).repeat(scale, axis=2)


def enlarging(images: np.ndarray, side: int) -> int:
    """How many pixels wide `enlarged` shows each pixel of images (N, H, W, C)."""
    return max(1, -(-side // max(images.shape[1:3])))


def arrows(images: np.ndarray, directions: np.ndarray, side: int = ARROW_SIDE) -> np.ndarray:
    """Images (N, H, W, C), enlarged, with an arrow from the middle along directions (N, 3), x right and y down."""
    pairs = zip(enlarged(images, side), directions, strict=True)
    return np.stack([_with_arrow(picture, direction) for picture, direction in pairs])


def _with_arrow(picture: np.ndarray, direction: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    pen, start = ImageDraw.Draw(image), np.array([width / 2, height / 2])
    end = start + direction[:2] * ARROW * width
    pen.line([tuple(start), tuple(end)], fill=YELLOW, width=2)
    pen.ellipse([tuple(end - 3), tuple(end + 3)], fill=YELLOW)
    return np.asarray(image)


def outlined(images: np.ndarray, boxes: Sequence[np.ndarray], classes: int, side: int = 1) -> np.ndarray:
    """Images (N, H, W, C), `enlarged`, with a thin outline a box in the colour of its class: (N, sH, sW, 3).

    boxes: N arrays (K, 5 or more) left, top, right, bottom in pixels from the upper left corner, and the class id.
    """
    pairs, scale = zip(enlarged(images, side), boxes, strict=True), enlarging(images, side)
    return np.stack([_outlined(image, some, scale, palette(classes)) for image, some in pairs])


def _outlined(image: np.ndarray, boxes: np.ndarray, scale: int, colours: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    draw, width = ImageDraw.Draw(picture), max(1, round(max(image.shape[:2]) / 200))
    for left, top, right, bottom, index, *_ in boxes.tolist():
        first = (round(left * scale), round(top * scale))
        last = (max(round(right * scale) - 1, first[0]), max(round(bottom * scale) - 1, first[1]))
        colour = colours[int(np.clip(index, 0, IGNORE))]
        draw.rectangle((first, last), outline=tuple(colour.tolist()), width=width)
    return np.asarray(picture)


def framed(images: np.ndarray, class_ids: np.ndarray, classes: int, side: int = 1) -> np.ndarray:
    """Images (N, H, W, C), `enlarged`, inside of a frame in the colour of the class (N,): (N, sH, sW, 3)."""
    pictures = enlarged(images, side).copy()
    width = max(1, round(max(pictures.shape[1:3]) / 24))
    inside = np.zeros(pictures.shape[1:3], bool)
    inside[width:-width, width:-width] = True
    pictures[:, ~inside] = palette(classes)[np.clip(class_ids, 0, IGNORE)][:, None]
    return pictures


def with_labels(
    images: np.ndarray,
    masks: np.ndarray | None,
    keypoints: np.ndarray | None,
    gaze: np.ndarray | None,
    classes: int,
    side: int,
    boxes: Sequence[np.ndarray] | None = None,
    class_ids: np.ndarray | None = None,
    depth: np.ndarray | None = None,
) -> np.ndarray:
    """Images (N, H, W, C), `enlarged`, with an arrow along the gaze, else a dot a keypoint (and tinted classes, where
    there are masks), else outlined boxes, else a frame for the class of the image, else the classes tinted, else the
    depth in their place.

    masks: (N, H, W) ids. keypoints: (N, K, 3). gaze: (N, 2) pitch and yaw in radians. boxes: N arrays (K, 5).
    class_ids: (N,). depth: (N, H, W), 0 = unknown. Each may be missing.
    """
    if gaze is not None:
        return arrows(images, vectors_of(gaze), side)
    if keypoints is not None:
        return mark_points(images if masks is None else overlay(images, masks, classes), keypoints, side)
    if boxes is not None:
        return outlined(images, boxes, classes, side)
    if class_ids is not None:
        return framed(images, class_ids, classes, side)
    if depth is not None and masks is None:
        return enlarged(depth_maps(depth), side)
    return enlarged(images if masks is None else overlay(images, masks, classes), side)


def depth_maps(depth: np.ndarray) -> np.ndarray:
    """Depth (N, H, W), 0 = unknown, to (N, H, W, 3): near yellow, far dark red, unknown grey; each map has a scale of
    its own."""
    known = depth > 0
    far = depth.max(axis=(1, 2), keepdims=True)
    pictures = heat(np.where(known, 1.15 - depth / np.maximum(far, 1e-12), 0), top=1.15)
    return np.where(known[..., None], pictures, 96).astype(np.uint8)


def heat(values: np.ndarray, top: float | None = None) -> np.ndarray:
    """(N, H, W) values >= 0 -> (N, H, W, 3): black to red to yellow at `top` (default: the largest)."""
    scaled = np.clip(values / max(top or float(values.max()), 1e-12), 0, 1)
    red, green = np.clip(scaled * 2, 0, 1), np.clip(scaled * 2 - 1, 0, 1)
    return np.round(np.stack([red, green, np.zeros_like(red)], axis=-1) * 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int, gap: int = 1, scale: int = 1) -> np.ndarray:
    """(N, H, W, C) uint8 -> one picture (rows, columns) with white gaps, each pixel `scale` wide."""
    images = as_rgb(images)
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas.repeat(scale, axis=0).repeat(scale, axis=1)


def strips(rows: Sequence[np.ndarray], gap: int = 1, scale: int = 1) -> np.ndarray:
    """Several (N, H, W, C) of equal N under one another: column i shows the i-th of each."""
    return grid(np.concatenate([as_rgb(row) for row in rows]), columns=len(rows[0]), gap=gap, scale=scale)


def save_png(path: Path, picture: np.ndarray) -> Path:
    """Write (H, W, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
