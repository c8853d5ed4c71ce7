"""Photographs that come with scikit-image and scikit-learn, so that backgrounds need no download."""

from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import Box, window
from stages.prepare.reading import read_image, resized
from stages.prepare.records import Pixels, Record


class Photo(NamedTuple):
    """package: the module that it lies in. file: its name there."""

    package: str
    file: str


# What trains and what tests never share a photograph; textures, people, things and landscapes are on both sides.
TRAINING = (
    *(Photo("skimage.data", f"{name}.png") for name in ("astronaut", "brick", "chelsea", "coins", "grass")),
    Photo("skimage.data", "motorcycle_left.png"),
    Photo("skimage.data", "rocket.jpg"),
    Photo("sklearn.datasets.images", "flower.jpg"),
)
HELD_OUT = (
    *(Photo("skimage.data", f"{name}.png") for name in ("camera", "coffee", "gravel")),
    Photo("sklearn.datasets.images", "china.jpg"),
)
BLACK = "black"
POOL = "backgrounds"


def photo_records(spec: DatasetSpec, count: int, seed: int) -> list[Record]:
    """Random parts of the training photographs at the size and in the colours of the data set."""
    photos = large_enough(TRAINING, spec)
    names = [f"photo-{number:06d}" for number in range(count)]
    return [
        Record(name, POOL, f"{POOL}/{name}", name, partial(read_part, photos, spec, seed, number))
        for number, name in enumerate(names)
    ]


def read_part(photos: tuple[Photo, ...], spec: DatasetSpec, seed: int, number: int) -> Pixels:
    """Part `number` of the photographs, which take turns."""
    random = np.random.default_rng([seed, *POOL.encode(), number])
    return Pixels(random_part(photos[number % len(photos)], spec, random))


def random_part(photo: Photo, spec: DatasetSpec, random: np.random.Generator) -> np.ndarray:
    """(H, W, C) of a window anywhere in a photograph, from the frame's size up to the largest that fits it, every
    zoom factor as likely as its inverse; shrunk to the frame."""
    image = read_photo(photo, spec.channels)
    height, width = spec.size
    most = min(image.shape[0] / height, image.shape[1] / width)
    zoom = float(np.exp(random.uniform(0, np.log(most))))
    rows, columns = min(round(height * zoom), image.shape[0]), min(round(width * zoom), image.shape[1])
    top, left = (int(random.integers(free + 1)) for free in (image.shape[0] - rows, image.shape[1] - columns))
    return resized(Pixels(window(image, Box(left, top, columns, rows))), spec.size).image


def large_enough(photos: tuple[Photo, ...], spec: DatasetSpec) -> tuple[Photo, ...]:
    """Those that the frame fits in. Raises UserError when it fits in none."""
    found = tuple(
        photo for photo in photos if np.all(read_photo(photo, spec.channels).shape[:2] >= np.array(spec.size))
    )
    if not found:
        height, width = spec.size
        raise UserError(
            f"prepare.backgrounds.source: no photograph that comes along is as large as the {height} x {width} pixels "
            "(height x width) of the data set; take folder, or set prepare.resize"
        )
    return found


@cache
def read_photo(photo: Photo, channels: int) -> np.ndarray:
    """The whole photograph (H, W, C). Raises UserError when the installed package lacks it."""
    path = Path(str(files(photo.package) / photo.file))
    if not path.is_file():
        raise UserError(f"{path}: not there; install {photo.package.split('.')[0]} again, as requirements.lock has it")
    return read_image(path, DatasetSpec(name=photo.file, size=(1, 1), channels=channels), any_size=True)


def black_record(spec: DatasetSpec) -> Record:
    """One black image: a second would be the same."""
    return Record(BLACK, POOL, f"{POOL}/{BLACK}", BLACK, partial(_black, spec))


def _black(spec: DatasetSpec) -> Pixels:
    return Pixels(np.zeros((*spec.size, spec.channels), np.uint8))
