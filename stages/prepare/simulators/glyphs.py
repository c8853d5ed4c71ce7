"""Digits written with a pen along the middle of printed ones, in the fonts that matplotlib ships: clean strokes of one
width, with the labels that the drawing knows.

Image `number` is a function of the seed, the ranges and the size alone, whoever draws it and in whatever order.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from stages.prepare.params import GlyphParams

STREAM = 41
OVERSAMPLING = 8
PRINT_HEIGHT = 120  # pixels of the printed digit whose middle line is taken
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralItalic",
    "cmr10",
    "cmss10",
    "cmti10",
    "cmtt10",
)


class Glyph(NamedTuple):
    """image: (H, W) uint8, ink 255 on 0. digit: 0 to 9. font: its file name without suffix."""

    image: np.ndarray
    digit: int
    font: str


def draw_glyph(number: int, seed: int, size: tuple[int, int], params: GlyphParams) -> Glyph:
    """Digit `number % 10` in a random font, height, width, slant, turn, place and width of the stroke."""
    random = np.random.default_rng([seed, STREAM, number])
    digit, font = number % 10, FONTS[int(random.integers(len(FONTS)))]
    side = min(size)
    stroke = random.uniform(*params.stroke) * side
    matrix = _placement(random, params, stroke / side) * side
    centre = np.array(size[::-1]) / 2 + random.uniform(-1, 1, 2) * params.shift * side
    points = (middle_line(font, digit) @ matrix.T + centre) * OVERSAMPLING
    share = _covered(points, stroke * OVERSAMPLING / 2, size)
    return Glyph(np.round(share * 255).astype(np.uint8), digit, font)


def _placement(random: np.random.Generator, params: GlyphParams, stroke: float) -> np.ndarray:
    """(2, 2) from a middle line of height 1 to shares of the image's side, such that ink reaches the drawn height."""
    height = random.uniform(*params.height) - stroke
    aspect = math.exp(random.uniform(-1, 1) * math.log1p(params.stretch))
    slant = math.tan(math.radians(random.uniform(*params.slant)))
    angle = math.radians(random.uniform(-1, 1) * params.rotate)
    upright = height * np.array([[aspect, -slant], [0, 1]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return turn @ upright


@cache
def middle_line(font: str, digit: int) -> np.ndarray:
    """(P, 2) points x, y (downwards) along the middle of the strokes of a printed digit; height 1, centred at 0."""
    rows, columns = np.nonzero(thinned(printed(font, digit)))
    points = np.stack([columns, rows], axis=1).astype(float)
    low, high = points.min(0), points.max(0)
    return (points - (low + high) / 2) / (high[1] - low[1])


def printed(font: str, digit: int) -> np.ndarray:
    """(H, W) bool: the digit as the font has it, PRINT_HEIGHT pixels high, with a margin."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    file = f"{matplotlib.get_data_path()}/fonts/ttf/{font}.ttf"
    outlines = TextPath((0, 0), str(digit), size=100, prop=FontProperties(fname=file)).to_polygons(closed_only=True)
    corners = np.concatenate(outlines)
    low, scale = corners.min(0), PRINT_HEIGHT / np.ptp(corners[:, 1])
    width = int(np.ptp(corners[:, 0]) * scale) + 5
    ink = np.zeros((PRINT_HEIGHT + 5, width), bool)
    for outline in outlines:
        layer = Image.new("1", (width, PRINT_HEIGHT + 5))
        x, y = ((outline - low) * scale + 2).T
        ImageDraw.Draw(layer).polygon(list(zip(x.tolist(), (PRINT_HEIGHT + 4 - y).tolist(), strict=True)), fill=1)
        ink ^= np.asarray(layer)  # a point inside of two outlines is in a hole
    return ink


def thinned(ink: np.ndarray) -> np.ndarray:
    """(H, W) bool to a line one pixel wide along the middle of its strokes (Zhang and Suen, 1984).

    The outermost pixels must be empty.
    """
    ink = ink.copy()
    while True:
        before = ink.sum()
        for first in (True, False):
            ink &= ~_removable(ink, first)
        if ink.sum() == before:
            return ink


def _removable(ink: np.ndarray, first: bool) -> np.ndarray:
    """Border pixels that do not hold the line together; `first` takes those below and to the right, else the others."""
    shifts = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    around = [np.roll(ink, (-down, -right), (0, 1)) for down, right in shifts]
    count = np.sum(around, axis=0)
    rises = np.sum([~one & other for one, other in zip(around, around[1:] + around[:1], strict=True)], axis=0)
    north, east, south, west = around[::2]
    kept = (north & east & south) | (east & south & west) if first else (north & east & west) | (north & south & west)
    return ink & (count >= 2) & (count <= 6) & (rises == 1) & ~kept


def _covered(points: np.ndarray, radius: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W) share of each pixel that a pen covers along points (P, 2); these and its radius are OVERSAMPLING times as
    large."""
    from scipy.ndimage import distance_transform_edt

    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    columns, rows = np.round(points).astype(int).T
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    empty = np.ones((height, width), bool)
    empty[rows[inside], columns[inside]] = False
    ink = distance_transform_edt(empty) <= radius
    share: np.ndarray = ink.reshape(size[0], OVERSAMPLING, size[1], OVERSAMPLING).mean((1, 3))
    return share
