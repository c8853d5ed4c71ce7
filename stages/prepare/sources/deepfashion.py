"""DeepFashion-MultiModal (Jiang et al.: Text2Human, SIGGRAPH 2022): clothed people, 12,701 of them whole and labelled.

`images/<name>.jpg`, 750 pixels wide and 1101 high, and `segm/<name>_segm.png` with the ids of its 24 classes. Images
without labels do not show people from head to foot, so they are left out. Where `keypoints/keypoints_loc.txt` and
`keypoints_vis.txt` are there, images have 21 keypoints: a line an image with its name and x, y of each, -1 where it is
not in the image, and one with its name and 0 seen, 1 hidden or 2 not there. The data set's page does not say whether
pixels are counted from 0, as is assumed here, nor in words which points they are, so nobody knows which trade places in
the mirror image. Images of one person in the same clothes, whose names are equal up to `id_` and its number, are a
group.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import Box, moved
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_ids, read_image, refuse_other_shape, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.instances import folder_of, frame_of

POINTS = 21
SEGM = "_segm"
PERSON = re.compile(r"^(.*id_\d+)")
# What keypoints_vis.txt holds -> unknown, hidden, seen.
VISIBILITY = {0: 2, 1: 1, 2: 0}


def read_source(params: PrepareParams) -> Source:
    """The people that have a mask, with their keypoints where the folder has them. Raises UserError for none."""
    root, size = folder_of(params, "images/ and segm/"), frame_of(params)
    mapped = class_map("deepfashion", params.classes)
    masks = sorted((root / "segm").glob(f"*{SEGM}.png"))
    if not masks:
        raise UserError(f"{root / 'segm'}: no <name>{SEGM}.png; put the parsing labels of DeepFashion-MultiModal there")
    points = read_keypoints(root / "keypoints") if (root / "keypoints").is_dir() else None
    count = 0 if points is None else POINTS
    spec = DatasetSpec(name="deepfashion", size=size, channels=3, classes=mapped.classes, keypoints=count)
    records = []
    for mask in masks:
        name = mask.stem.removesuffix(SEGM)
        path = root / "images" / f"{name}.jpg"
        read = partial(read_person, path, mask, mapped, points, spec)
        records.append(Record(name, "labeled", group_for(name, params.group_pattern), str(path), read))
    return Source(spec, records)


def group_for(name: str, pattern: str | None) -> str:
    """The person in the same clothes, or what the pattern captures."""
    found = PERSON.match(name)
    return group_of(name, "labeled", pattern) if pattern or found is None else found[1]


def read_keypoints(folder: Path) -> Mapping[str, np.ndarray]:
    """File name -> (21, 3) float32 x, y in pixels and visibility. Raises UserError for a damaged or missing list."""
    places = read_numbers(folder / "keypoints_loc.txt", 2 * POINTS)
    seen = read_numbers(folder / "keypoints_vis.txt", POINTS)
    points = {}
    for name, numbers in places.items():
        if name not in seen or not set(seen[name].tolist()) <= set(VISIBILITY):
            raise UserError(
                f"{folder / 'keypoints_vis.txt'}: {name} has no {POINTS} numbers of 0, 1 and 2; put the data set's own "
                "file there"
            )
        xy, visibility = numbers.reshape(POINTS, 2), np.array([VISIBILITY[int(one)] for one in seen[name]])
        known = (xy >= 0).all(axis=1)
        points[name] = np.column_stack([xy, np.where(known, visibility, 0)]).astype(np.float32)
    return points


def read_numbers(path: Path, count: int) -> dict[str, np.ndarray]:
    """The numbers behind each name of a list. Raises UserError when it is missing or a line has not so many."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; put DeepFashion-MultiModal's own there, or remove keypoints/")
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        name, *words = line.split()
        try:
            numbers = np.array(words, np.float64)
        except ValueError:
            numbers = np.zeros(0)
        if len(numbers) != count:
            raise UserError(f"{path}: {name}: no {count} numbers; put the data set's own file there")
        found[name] = numbers
    return found


def read_person(
    path: Path, file: Path, mapped: ClassMap, points: Mapping[str, np.ndarray] | None, spec: DatasetSpec
) -> Pixels:
    """A person with its mask and keypoints at the size of the data set; all are unknown where no list names it."""
    image = read_image(path, spec, any_size=True)
    size, ids = (image.shape[0], image.shape[1]), read_ids(file, "no such file")
    refuse_other_shape(file, ids.shape, size, "mask")
    keypoints = None
    if points is not None:
        found = points.get(path.name, np.zeros((POINTS, 3), np.float32))
        keypoints = moved(found, Box(0, 0, size[1], size[0]))
    return resized(Pixels(image, mapped.of_ids(ids, file), keypoints), spec.size)
