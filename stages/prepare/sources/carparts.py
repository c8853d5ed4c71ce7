"""Car-Parts-Segmentation (Pasupa et al., Complex & Intelligent Systems 2021): 500 cars with 18 kinds of parts.

`trainingset/` and `testset/` hold `JPEGImages/` and `annotations.json`, COCO's segmentations of the parts. The former
is learned from, the latter tested on. Where parts overlap, the smaller one is on top.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.common.coco_masks import decoded
from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_image, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.coco_json import CocoImage, Entry, image_names, read_coco, refuse_other_size
from stages.prepare.sources.instances import folder_of, frame_of

POOLS = {"trainingset": "labeled", "testset": "test"}
NAME = "annotations.json"
WHY = "put the annotations of Car-Parts-Segmentation there"


class CocoCategory(Entry):
    """A kind of part."""

    id: int
    name: str


class CocoPart(Entry):
    """segmentation: polygons or run lengths."""

    id: int
    image_id: int
    category_id: int
    segmentation: Any


class Coco(Entry):
    """The whole file."""

    images: tuple[CocoImage, ...]
    annotations: tuple[CocoPart, ...]
    categories: tuple[CocoCategory, ...]


class Part(NamedTuple):
    """A part of a car. said_by: file and annotation."""

    class_id: int
    segmentation: Any
    said_by: str


class Car(NamedTuple):
    """A car by the file that lists it. said: its height and width there, None where it says nothing."""

    listed_in: Path
    said: tuple[int | None, int | None]
    parts: list[Part]


def read_source(params: PrepareParams) -> Source:
    """The cars of both sets. Raises UserError when one is missing or damaged or prepare.classes names no map."""
    root, size = folder_of(params, " and ".join(f"{name}/" for name in POOLS)), frame_of(params)
    mapped = class_map("carparts", params.classes)
    spec = DatasetSpec(name="carparts", size=size, channels=3, classes=mapped.classes)
    records = []
    for name, pool in POOLS.items():
        for path, car in cars_of(root / name, mapped).items():
            group = group_of(path.stem, pool, params.group_pattern)
            read = partial(read_car, path, car, spec)
            records.append(Record(f"{name}-{path.stem}", pool, group, str(path), read))
    return Source(spec, records)


def cars_of(folder: Path, mapped: ClassMap) -> dict[Path, Car]:
    """Image -> the car in it. Raises UserError for a part of an unknown image or kind."""
    file = folder / NAME
    found = read_coco(Coco, file, WHY)
    kinds = {one.id: one.name for one in found.categories}
    names = image_names(found.images, file)
    cars = {one.id: Car(file, (one.height, one.width), []) for one in found.images}
    for one in found.annotations:
        kind, place = kinds.get(one.category_id, ""), f"{file}: annotation {one.id}"
        if one.image_id not in names or kind not in mapped.ids:
            raise UserError(
                f"{place}: of image {one.image_id} and category {one.category_id}, {kind or 'no name'}, which the data "
                "set does not have; put its own file there"
            )
        cars[one.image_id].parts.append(Part(mapped.ids[kind], one.segmentation, place))
    return {folder / "JPEGImages" / names[number]: cars[number] for number in sorted(names)}


def read_car(path: Path, car: Car, spec: DatasetSpec) -> Pixels:
    """A car with its mask, both at the size of the data set. Raises UserError when its parts do not fit the image."""
    image = read_image(path, spec, any_size=True)
    size = (image.shape[0], image.shape[1])
    refuse_other_size(path, car.said, size, car.listed_in, "parts")
    return resized(Pixels(image, car_mask(car.parts, size)), spec.size)


def car_mask(parts: Sequence[Part], size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 class ids. Raises UserError for a segmentation that does not fit the image."""
    mask = np.zeros(size, np.uint8)
    shown = [(part.class_id, part_mask(part, size)) for part in parts]
    for class_id, pixels in sorted(shown, key=lambda one: -np.count_nonzero(one[1])):
        mask[pixels] = class_id
    return mask


def part_mask(part: Part, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool. Raises UserError for a segmentation that does not fit the image."""
    try:
        return decoded(part.segmentation, size)
    except (ValueError, TypeError) as error:
        raise UserError(f"{part.said_by}: {error}; put the data set's own file there") from error
