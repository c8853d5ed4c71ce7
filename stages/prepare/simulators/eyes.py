"""Eyes drawn from a few shapes: a ball with iris, pupil and highlight between two lids, a fold and a brow.

Clean like a renderer's output; the camera's noise, blur and light are for a refiner to learn. Image `number` is a
function of the seed, the ranges and the size alone.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.common.gaze import vectors_of
from stages.prepare.params import EyeParams

STREAM = 42
OVERSAMPLING = 3
SKIN, SCLERA, IRIS, PUPIL = 1, 2, 3, 4
CLASSES = ("background", "skin", "sclera", "iris", "pupil")
UPPER_SHARE = 0.7  # of the opening that lies above the line between the corners
LID_FOLLOWS = 0.5  # of the way that the middle of the iris goes
CORNERS_AHEAD = 0.5  # of the ball's radius: how far its centre lies behind the plane of the eye's corners
CORNERS_BELOW = 0.16  # of the ball's radius: two millimetres, how far the corners lie below its centre
LANDMARKS = 8  # on each lid, from the left corner to the right one


ANGLES = ("pitch", "yaw", "head_pitch", "head_yaw", "iris", "light")


class Eye(NamedTuple):
    """image: (H, W) uint8. mask: (H, W) uint8 class ids. depth: (H, W) float32, towards the camera from the plane of
    the skin, in image widths, plus 1. gaze: (2,) pitch, yaw in radians. keypoints: (2 + 2 * LANDMARKS, 3) x, y in
    pixels and visibility 2, or 1 where a lid hides the point: centres of iris and pupil, upper lid, lower lid.
    """

    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    gaze: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True)
class Traits:
    """The numbers that make one eye; lengths in image widths, angles in radians."""

    pitch: float
    yaw: float
    head_pitch: float
    head_yaw: float
    axis_pitch: float
    axis_yaw: float
    opening: float
    half_width: float
    ball: float
    iris: float
    pupil: float
    skin: float
    iris_tone: float
    light: float
    centre: tuple[float, float]
    roll: float
    brow: float
    bend: float

    @property
    def direction(self) -> np.ndarray:
        """(3,) where iris and pupil point: the optical axis, beside the line of sight."""
        return vectors_of(np.array([self.pitch - self.axis_pitch, self.yaw - self.axis_yaw]))

    @property
    def head(self) -> np.ndarray:
        """(3,) of the face."""
        return vectors_of(np.array([self.head_pitch, self.head_yaw]))

    @property
    def ball_centre(self) -> np.ndarray:
        """(2,) x, y from the middle between the corners: a head that looks down lifts the ball behind them."""
        return -self.ball * (CORNERS_AHEAD * self.head[:2] + np.array([0.0, CORNERS_BELOW]))


def draw_traits(number: int, seed: int, params: EyeParams) -> Traits:
    """The numbers of eye `number`."""
    random = np.random.default_rng([seed, STREAM, number])
    degrees = {n: math.radians(random.uniform(*getattr(params, n))) for n in ANGLES}
    lengths = {n: random.uniform(*getattr(params, n)) for n in ("ball", "pupil", "skin", "iris_tone")}
    # Who looks ten degrees down from the head's direction narrows the eye by about a tenth.
    lowered = degrees["head_pitch"] - degrees["pitch"]
    opening = random.uniform(*params.opening) * float(np.clip(1 - 0.6 * lowered, 0.5, 1.3))
    dx, dy = random.uniform(-1, 1, 2) * params.shift + np.array(params.centre)
    axis = {f"axis_{n}": math.radians(value) for n, value in zip(("pitch", "yaw"), params.visual_axis, strict=True)}
    return Traits(
        **degrees,
        **axis,
        **lengths,
        opening=opening,
        half_width=random.uniform(*params.width) / 2,
        centre=(dx, dy),
        roll=math.radians(random.uniform(-1, 1) * params.roll),
        brow=random.uniform(0.0, 0.5),
        bend=random.uniform(-0.15, 0.15),
    )


def draw_eye(number: int, seed: int, size: tuple[int, int], params: EyeParams) -> Eye:
    """Eye `number` with its labels."""
    traits = draw_traits(number, seed, params)
    x, y = _plane(size, traits)
    image, mask, depth = _painted(x, y, traits)
    blocks = (size[0], OVERSAMPLING, size[1], OVERSAMPLING)
    shade = np.round(np.clip(image.reshape(blocks).mean((1, 3)), 0, 1) * 255).astype(np.uint8)
    votes = np.stack([(mask == part).reshape(blocks).sum((1, 3)) for part in range(len(CLASSES))])
    ids = votes.argmax(0).astype(np.uint8)
    far = (depth.reshape(blocks).mean((1, 3)) + 1).astype(np.float32)
    return Eye(shade, ids, far, np.array([traits.pitch, traits.yaw], np.float32), _keypoints(size, traits))


def _plane(size: tuple[int, int], traits: Traits) -> tuple[np.ndarray, np.ndarray]:
    """x right and y down from the eye's middle, in image widths, at the centre of every fine pixel."""
    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    columns = ((np.arange(width) + 0.5) / width - 0.5 - traits.centre[0]).astype(np.float32)
    rows = ((np.arange(height) + 0.5) / width - size[0] / size[1] / 2 - traits.centre[1]).astype(np.float32)
    cosine, sine = math.cos(traits.roll), math.sin(traits.roll)
    return columns[None] * cosine + rows[:, None] * sine, rows[:, None] * cosine - columns[None] * sine


def _lids(x: np.ndarray, traits: Traits) -> tuple[np.ndarray, np.ndarray]:
    """y of the upper and of the lower lid at x; they meet in the corners, and between these follow the eye's turn in
    the head."""
    along = np.clip(x / traits.half_width, -1, 1)
    arch = (1 - along**2) * (1 + traits.bend * along)
    follow = LID_FOLLOWS * (traits.direction - traits.head)[1] * traits.ball * arch
    upper, lower = UPPER_SHARE * traits.opening * arch.clip(0) ** 0.6, (1 - UPPER_SHARE) * traits.opening * arch
    return follow - upper, follow + lower


def _painted(x: np.ndarray, y: np.ndarray, traits: Traits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    upper, lower = _lids(x, traits)
    is_open = (np.abs(x) < traits.half_width) & (y > upper) & (y < lower)
    ball, mask, rise = _ball(x, y, traits)
    shadow = 1 - 0.55 * np.exp(-((y - upper) / (0.25 * traits.opening + 1e-6)).clip(0) * 1.5)
    image = np.where(is_open, ball * shadow, _skin(x, y, upper, lower, traits))
    return image, np.where(is_open, mask, SKIN), np.where(is_open, rise, 0.02)


def _ball(x: np.ndarray, y: np.ndarray, traits: Traits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness, class and height of the eyeball, as if there were no lids."""
    across, down = ((plane - start) / traits.ball for plane, start in zip((x, y), traits.ball_centre, strict=True))
    towards = np.sqrt((1 - across**2 - down**2).clip(0))
    direction = traits.direction
    angle = np.arccos(np.clip(across * direction[0] + down * direction[1] - towards * direction[2], -1, 1))
    from_iris = angle / traits.iris
    mask = np.where(from_iris < traits.pupil, PUPIL, np.where(from_iris < 1, IRIS, SCLERA))
    lit = 0.75 + 0.25 * (across * math.sin(traits.light) + towards * math.cos(traits.light))
    sclera = 0.85 * lit * (1 - 0.35 * np.abs(x / traits.half_width).clip(0, 1) ** 3)
    rim = np.exp(-(((from_iris - 1) / 0.12) ** 2))
    iris = traits.iris_tone * (0.8 + 0.5 * from_iris) * lit * (1 - 0.6 * rim)
    shade = np.where(from_iris < 1, iris, sclera * (1 - 0.5 * rim))
    shade = np.where(from_iris < traits.pupil, 0.03, shade)
    spot_x, spot_y = direction[0] * 0.8 + 0.16 * math.sin(traits.light), direction[1] * 0.8 - 0.14
    spot = np.exp(-(((across - spot_x) ** 2 + (down - spot_y) ** 2) / 0.05**2))
    return np.maximum(shade, spot * 0.95), mask, towards * traits.ball - traits.ball * 0.8


def _skin(x: np.ndarray, y: np.ndarray, upper: np.ndarray, lower: np.ndarray, traits: Traits) -> np.ndarray:
    """Brightness outside of the lids: light from one side, lashes, the fold above, the brow."""
    light = 1 + 0.25 * math.sin(traits.light) * x * 2 - 0.25 * np.abs(y) * 2
    socket = 1 - 0.3 * np.exp(-(((y + 0.6 * traits.opening) / 0.12) ** 2)) * np.exp(-((x / 0.45) ** 2))
    wide = np.abs(x) < traits.half_width * 1.08
    lashes = 0.7 * np.exp(-(((y - upper + 0.012) / 0.018) ** 2)) * wide
    edge = 0.3 * np.exp(-(((y - lower - 0.008) / 0.012) ** 2)) * wide
    fold = 0.35 * np.exp(-(((y - 1.15 * upper + 0.07) / 0.012) ** 2)) * (np.abs(x) < traits.half_width)
    brow_line = -0.3 - 0.06 * (1 - (x / 0.5) ** 2)
    brow = traits.brow * np.exp(-(((y - brow_line) / 0.04) ** 2))
    return traits.skin * light * socket * (1 - lashes) * (1 - edge) * (1 - fold) * (1 - brow)


def _keypoints(size: tuple[int, int], traits: Traits) -> np.ndarray:
    x, y = traits.direction[:2] * traits.ball + traits.ball_centre
    along = np.linspace(-1, 1, LANDMARKS) * traits.half_width
    upper, lower = _lids(along, traits)
    points = np.concatenate([[[x, y], [x, y]], np.stack([along, upper], 1), np.stack([along, lower], 1)])
    cosine, sine = math.cos(traits.roll), math.sin(traits.roll)
    turned = points @ np.array([[cosine, sine], [-sine, cosine]]) + np.array(traits.centre)
    pixels = turned * size[1] + np.array(size[::-1]) / 2 - 0.5
    lids = _lids(np.array([x]), traits)
    seen = np.full(len(points), 2.0)
    seen[:2] = 2.0 if lids[0][0] < y < lids[1][0] else 1.0
    return np.column_stack([pixels, seen]).astype(np.float32)
