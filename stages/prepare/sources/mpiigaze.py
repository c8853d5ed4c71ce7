"""MPIIGaze's normalised eye images (Zhang, Sugano, Fritz, Bulling: Appearance-Based Gaze Estimation in the Wild, 2015).

`Data/Normalized/p00/day01.mat` and so on hold a struct `data` with `left` and `right`, each with `image` (N, 36, 60)
uint8 and `gaze` (N, 3), a vector x right, y down, z away from the camera. Right eyes are mirrored, with their gaze, so
that the inner corner is always on the left.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.gaze import angles_of
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.matfile import field, read_mat

SIZE = (36, 60)
SIDES = ("left", "right")
# About as many days as there are: read in any order, each file is unpacked once. All 213,659 images are 0.46 GB.
DAYS_KEPT = 1024


class Eyes(NamedTuple):
    """images: (N, 36, 60) uint8, the inner corner on the left. gaze: (N, 2) float32 pitch, yaw in radians."""

    images: np.ndarray
    gaze: np.ndarray


def read_source(params: PrepareParams) -> Source:
    """All eyes of both sides, labelled with their gaze; test and val are split off by person."""
    root = params.path
    if root is None or not root.is_dir():
        found = "not set" if root is None else f"{root} is no folder"
        raise UserError(f"prepare.path: {found}; source mpiigaze needs MPIIGaze, the one with Data/Normalized")
    spec = DatasetSpec(name="mpiigaze", size=SIZE, channels=1, gaze=True)
    return Source(spec, mpiigaze_records(root, "labeled", params.group_pattern))


def mpiigaze_records(root: Path, pool: str, pattern: str | None = None) -> list[Record]:
    """Records of every eye, named `<person>-<day>-<side>-<number>`; the group is the person unless a pattern is given.

    Every file is unpacked once here, to be checked and counted, and let go; unpacked again at its first image, it is
    kept. Raises UserError when there are none or one is damaged or of other shapes.
    """
    days = sorted((root / "Data" / "Normalized").glob("p[0-9][0-9]/day*.mat"))
    if not days:
        raise UserError(f"{root}: no Data/Normalized/p00/day01.mat or the like; give the folder of MPIIGaze")
    return [record for path in days for record in _day_records(path, pool, pattern)]


def _day_records(path: Path, pool: str, pattern: str | None) -> list[Record]:
    person = path.parent.name
    found = read_day(path)
    names = [(side, n, f"{person}-{path.stem}-{side}-{n:04d}") for side in SIDES for n in range(len(found[side].gaze))]
    return [
        Record(
            source_id=name,
            pool=pool,
            group=person if pattern is None else group_of(name, pool, pattern),
            file=f"{path}: {side} {number}",
            read=partial(read_eye, path, side, number),
        )
        for side, number, name in names
    ]


def read_eye(path: Path, side: str, number: int) -> Pixels:
    """Image (36, 60, 1) and gaze of one eye."""
    eyes = _kept_day(path)[side]
    return Pixels(eyes.images[number][:, :, None], gaze=eyes.gaze[number])


@lru_cache(maxsize=DAYS_KEPT)
def _kept_day(path: Path) -> dict[str, Eyes]:
    return read_day(path)


def read_day(path: Path) -> dict[str, Eyes]:
    """The eyes of one file by side. Raises UserError when it is damaged or not laid out like MPIIGaze's."""
    data = read_mat(path, "data")
    return {side: _eyes(data, side, path) for side in SIDES}


def _eyes(data: np.ndarray, side: str, path: Path) -> Eyes:
    images, vectors = (field(data, (side, name), path, "data") for name in ("image", "gaze"))
    if images.ndim != 3 or images.shape[1:] != SIZE or images.dtype != np.uint8:
        raise UserError(
            f"{path}: data.{side}.image is {images.shape} {images.dtype}, not (N, 36, 60) uint8; "
            "put MPIIGaze's own file there"
        )
    if vectors.shape != (len(images), 3):
        raise UserError(
            f"{path}: data.{side}.gaze is {vectors.shape}, not ({len(images)}, 3) as its images ask for; "
            "put MPIIGaze's own file there"
        )
    gaze = _angles(vectors, side, path)
    if side == "left":
        return Eyes(images, gaze)
    return Eyes(np.ascontiguousarray(images[:, :, ::-1]), gaze * np.array([1, -1], np.float32))


def _angles(vectors: np.ndarray, side: str, path: Path) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise UserError(f"{path}: data.{side}.gaze of image {wrong[0]} is no direction; put MPIIGaze's own file there")
    return angles_of(vectors).astype(np.float32)
