"""300-W (Sagonas, Antonakos, Tzimiropoulos, Zafeiriou, Pantic: 300 Faces In-The-Wild, 2013): faces with 68 points.

Its sets lie beside one another as they are unpacked, `afw/`, `helen/trainset/`, `helen/testset/`, `lfpw/trainset/`,
`lfpw/testset/`, `ibug/`, `01_Indoor/` and `02_Outdoor/`, each with images and beside each image a `.pts` file of its
name. Two test sets that are mostly reported apart are pooled here: the full set of 689 images, which are ibug and the
sets called testset, and the private one of 600, 01_Indoor and 02_Outdoor; a folder that holds one of the two is tested
on that alone. When there are no other sets, they are split like any others. Points are counted from 1: the upper left
pixel is 1, 1.

Images are cropped to the square around their points with a margin of a quarter of the points' longer side on each
side, in the proportions of prepare.resize; what lies outside of the image is black. The points place the crop, so what
is measured is where points are in a face that has been found. 300-W does not say which points are hidden.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import box_around, cropped
from stages.prepare.params import PrepareParams
from stages.prepare.reading import SUFFIXES, read_image, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.instances import folder_of, frame_of

POINTS = 68
MARGIN = 0.25
TEST = {"ibug", "testset", "01_Indoor", "02_Outdoor"}
# Several faces of one photograph are numbered behind it: 134212_1.jpg, image_003_1.jpg.
PHOTO = re.compile(r"^(.*\d)\s*_\d+$")
# The point that takes the place of each in the mirror image.
FLIP = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *range(54, 47, -1),  # upper lip, outside
    *range(59, 54, -1),  # lower lip, outside
    *range(64, 59, -1),  # upper lip, inside
    *range(67, 64, -1),  # lower lip, inside
)


def read_source(params: PrepareParams) -> Source:
    """All faces with their points, none of them with a mask. Raises UserError when there are none."""
    root, size = folder_of(params, "afw/, helen/, lfpw/, ibug/ or 01_Indoor/"), frame_of(params)
    files = sorted(root.rglob("*.pts"))
    if not files:
        raise UserError(f"{root}: no .pts file in it or below; unpack the sets of 300-W there")
    tested = [file for file in files if TEST.intersection(file.relative_to(root).parts)]
    own_test = set(tested) if len(tested) < len(files) else set()
    spec = DatasetSpec(name="w300", size=size, channels=3, keypoints=POINTS, flip=FLIP)
    records = [
        _record(root, file, "test" if file in own_test else "labeled", spec, params.group_pattern) for file in files
    ]
    return Source(spec, records)


def _record(root: Path, file: Path, pool: str, spec: DatasetSpec, pattern: str | None) -> Record:
    name, image = "-".join(file.relative_to(root).with_suffix("").parts), image_of(file)
    group = group_of(name, pool, pattern) if pattern else photo_of(name)
    return Record(name, pool, group, str(image), partial(read_face, image, file, spec))


def photo_of(name: str) -> str:
    """The photograph that an image shows a face of."""
    found = PHOTO.match(name)
    return name if found is None else found[1]


def image_of(file: Path) -> Path:
    """The image beside a .pts file. Raises UserError when there is none."""
    for suffix in SUFFIXES:
        if file.with_suffix(suffix).is_file():
            return file.with_suffix(suffix)
    raise UserError(f"{file}: no {file.stem}.png or .jpg beside it; put it there or remove the file")


def read_face(image: Path, file: Path, spec: DatasetSpec) -> Pixels:
    """A face with its (68, 3) keypoints at the size of the data set."""
    points = read_points(file)
    low, high = points.min(0), points.max(0)
    height, width = spec.size
    side = float((high - low).max()) * (1 + 2 * MARGIN)
    x, y = ((low + high) / 2).tolist()
    box = box_around(x, y, side * width / min(spec.size), height / width)
    keypoints = np.column_stack([points, np.full(POINTS, 2)]).astype(np.float32)
    return resized(cropped(Pixels(read_image(image, spec, any_size=True), keypoints=keypoints), box), spec.size)


def read_points(file: Path) -> np.ndarray:
    """(68, 2) x, y in pixels, 0, 0 the middle of the first one. Raises UserError when the file is none of 300-W's."""
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        numbers = np.array(text.partition("{")[2].partition("}")[0].split(), np.float64)
    except ValueError as error:
        raise UserError(f"{file}: no points ({error}); put 300-W's own file there") from error
    if numbers.size != 2 * POINTS or not np.isfinite(numbers).all():
        raise UserError(
            f"{file}: {numbers.size} numbers between braces, not x and y of {POINTS} points; put 300-W's own file there"
        )
    points = numbers.reshape(POINTS, 2) - 1
    if not (np.ptp(points, axis=0) > 0).any():
        raise UserError(f"{file}: all of its points are in one place; put 300-W's own file there")
    return points
