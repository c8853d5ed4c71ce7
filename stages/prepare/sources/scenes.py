"""Digits in photographs by a law of their own: what stands nearer, lower in the image, is larger.

The law is fixed, for it stands for the world that a detector is tested in; what pastes digits anywhere at any size has
to find it out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from stages.prepare.cropping import Box, window
from stages.prepare.cutouts.canvas import solid_box
from stages.prepare.records import Pixels

DUSK = 0.6  # brightness of the photographs, so that light digits can be seen in all of them
NEARNESS = (2.0, 1.5)  # of a beta distribution: a little more often near than far
HEIGHT = (0.16, 0.4)  # of the image's, from far to near
SPREAD = 0.1  # of the logarithm of the height, either way
GROUND = (0.3, 1.0)  # of the image's height, from far to near: where the digit stands
TURN = 6.0  # degrees, standard deviation
OVERLAP = 0.1  # of the smaller box, at most
TRIES = 30
TONE = (200.0, 255.0)  # grey value of the ink
SHADOW, SHADOW_BLUR = 0.5, 0.03  # darkness, and width as a share of the image's height
NOISE = 5.0  # grey values, standard deviation

Digit = tuple[np.ndarray, int]


class Placed(NamedTuple):
    """ink: (H, W) opacity from 0 to 1. box: tight around what is at least half opaque. nearness: 0 to 1."""

    ink: np.ndarray
    box: Box
    nearness: float
    class_id: int


def draw_scene(photo: np.ndarray, digits: Sequence[Digit], random: np.random.Generator) -> Pixels:
    """A photo (H, W) uint8 at dusk with digits, ((h, w) uint8, 0 to 9), pasted in from far to near.

    image: (H, W, 1). boxes: (K, 5), the digits that found room, far ones first; the first digit always does.
    """
    placed: list[Placed] = []
    for digit in digits:
        found = place(digit, photo.shape[:2], [other.box for other in placed], random)
        placed += [found] if found is not None else []
    placed.sort(key=lambda one: one.nearness)
    scene = dimmed(photo).astype(np.float64)
    for one in placed:
        scene = pasted(scene, one.ink, random.uniform(*TONE))
    scene += random.normal(0, NOISE, scene.shape)
    boxes = [(b.left, b.top, b.left + b.width, b.top + b.height, class_id) for _, b, _, class_id in placed]
    image = np.round(scene).clip(0, 255).astype(np.uint8)
    return Pixels(image[:, :, None], boxes=np.array(boxes, np.float32).reshape(-1, 5))


def place(digit: Digit, size: tuple[int, int], taken: Sequence[Box], random: np.random.Generator) -> Placed | None:
    """A place for a digit by the law where it hides little of the others; None when there is none in 30 tries."""
    height, width = size
    for _ in range(TRIES):
        nearness = float(random.beta(*NEARNESS))
        tall = height * along(HEIGHT, nearness) * np.exp(random.uniform(-SPREAD, SPREAD))
        ink = turned(digit[0], tall, random.normal(0, TURN))
        bottom = round(height * along(GROUND, nearness))
        left = int(random.integers(max(1, width - ink.shape[1] + 1)))
        frame = window(ink, Box(-left, ink.shape[0] - bottom, width, height))
        if (frame >= 128).any():
            box = solid_box(frame)
            if all(shared(box, other) <= OVERLAP for other in taken):
                return Placed(frame / 255, box, nearness, digit[1] + 1)
    return None


def along(ends: tuple[float, float], share: float) -> float:
    """From the first end to the second."""
    return ends[0] + (ends[1] - ends[0]) * share


def turned(digit: np.ndarray, height: float, degrees: float) -> np.ndarray:
    """(h, w) uint8: the digit's ink so many pixels high, then turned."""
    box = solid_box(digit, least=1)
    tight = Image.fromarray(window(digit, box))
    size = (max(1, round(box.width * height / box.height)), max(1, round(height)))
    upright = tight.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(upright.rotate(degrees, Image.Resampling.BICUBIC, expand=True))


def shared(first: Box, second: Box) -> float:
    """The area that two boxes share, as a share of the smaller one's."""
    width = min(first.left + first.width, second.left + second.width) - max(first.left, second.left)
    height = min(first.top + first.height, second.top + second.height) - max(first.top, second.top)
    return max(0, width) * max(0, height) / min(first.width * first.height, second.width * second.height)


def pasted(scene: np.ndarray, ink: np.ndarray, tone: float) -> np.ndarray:
    """scene (H, W) with ink (H, W) of 0 to 1 in one tone, over a soft shadow of it."""
    from scipy.ndimage import gaussian_filter

    shadow = gaussian_filter(ink, SHADOW_BLUR * len(scene))
    darkened = scene * (1 - SHADOW * np.minimum(1, 2 * shadow))
    blended: np.ndarray = darkened * (1 - ink) + tone * ink
    return blended


def dimmed(photo: np.ndarray) -> np.ndarray:
    """uint8 pixels at dusk."""
    return np.round(photo * DUSK).astype(np.uint8)
