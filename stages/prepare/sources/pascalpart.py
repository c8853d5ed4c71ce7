"""Cars of PASCAL-Part (Chen et al.: Detect What You Can, CVPR 2014), each cut out with the cars around it.

`Annotations_Part/<name>.mat` holds a struct `anno` whose `objects` have `class`, `mask` and `parts`, each of these with
`part_name` and `mask`. The images are those of VOC 2010, in `JPEGImages/` beside it, or in that of `VOC2010/` or
`VOCdevkit/VOC2010/`. With VOC's own list `ImageSets/Main/car_trainval.txt` only the images that it says show cars are
looked at, which saves minutes.

A car is cropped to its mask with a margin of a tenth of its longer side, in the proportions of prepare.resize; what
lies outside of the image is black. Cars whose longer side is below 64 pixels are left out. Margin and limit are ours.
Where parts overlap, the smaller one is on top. Cars of one image are a group.
"""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import Box, cropped
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_image, refuse_other_shape, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.instances import folder_of, frame_of
from stages.prepare.sources.matfile import field, read_mat
from stages.prepare.sources.object_crops import box_of

CAR = "car"
HOMES = (".", "VOC2010", "VOCdevkit/VOC2010")
LIST = "ImageSets/Main/car_trainval.txt"
OWN = "put PASCAL-Part's own file there"


class Object(NamedTuple):
    """mask: (H, W) bool. parts: name and (H, W) bool of each."""

    name: str
    mask: np.ndarray
    parts: list[tuple[str, np.ndarray]]


def read_source(params: PrepareParams) -> Source:
    """All cars that are large enough. Raises UserError when there are none or prepare.classes names no map."""
    root, size = folder_of(params, "Annotations_Part/"), frame_of(params)
    mapped = class_map("pascalpart", params.classes)
    spec = DatasetSpec(name="pascalpart", size=size, channels=3, classes=mapped.classes)
    home = home_of(root)
    records = []
    for file in annotations_of(root, home):
        path = home / "JPEGImages" / f"{file.stem}.jpg"
        group = group_of(file.stem, "labeled", params.group_pattern)
        boxes = [box_of(one.mask, size) for one in read_objects(file) if one.name == CAR]
        for number, box in enumerate(boxes):
            if box is not None:
                read = partial(read_car, path, file, box, mapped, spec)
                records.append(Record(f"{file.stem}-{number}", "labeled", group, str(path), read))
    if not records:
        raise UserError(f"{root / 'Annotations_Part'}: no file in it shows a car; put those of PASCAL-Part there")
    return Source(spec, records)


def home_of(root: Path) -> Path:
    """The folder with JPEGImages/. Raises UserError when there is none."""
    for name in HOMES:
        if (root / name / "JPEGImages").is_dir():
            return root / name
    raise UserError(f"{root}: no JPEGImages/ in it or in VOC2010/; put those of VOC 2010 beside Annotations_Part/")


def annotations_of(root: Path, home: Path) -> list[Path]:
    """The files that may show a car, by name."""
    files = sorted((root / "Annotations_Part").glob("*.mat"))
    if not (home / LIST).is_file():
        return files
    lines = (line.split() for line in (home / LIST).read_text(encoding="utf-8").splitlines())
    shown = {words[0] for words in lines if len(words) == 2 and words[1] != "-1"}
    return [file for file in files if file.stem in shown]


def read_objects(file: Path) -> list[Object]:
    """What an image shows. Raises UserError when the file is damaged or not laid out like PASCAL-Part's."""
    found = field(read_mat(file, "anno"), ("objects",), file, "anno")
    return [
        Object(
            _text(one, "class", file),
            _mask(one, file),
            [(_text(part, "part_name", file), _mask(part, file)) for part in _structs(one, "parts", file)],
        )
        for one in found.ravel()
    ]


def _value(struct: np.void, name: str, file: Path) -> np.ndarray:
    if struct.dtype.names is None or name not in struct.dtype.names:
        raise UserError(f"{file}: an object or part without {name}; {OWN}")
    return np.asarray(struct[name])


def _structs(struct: np.void, name: str, file: Path) -> Iterable[np.void]:
    found = _value(struct, name, file).ravel()
    return found if found.dtype.names else []


def _text(struct: np.void, name: str, file: Path) -> str:
    return "".join(str(one) for one in _value(struct, name, file).ravel())


def _mask(struct: np.void, file: Path) -> np.ndarray:
    found = _value(struct, "mask", file)
    if found.ndim != 2 or found.dtype.kind not in "bui":
        raise UserError(f"{file}: a mask is {found.shape} {found.dtype}, not (H, W) of 0 and 1; {OWN}")
    return found > 0


def read_car(path: Path, file: Path, box: Box, mapped: ClassMap, spec: DatasetSpec) -> Pixels:
    """The image in the box with its mask, both at the size of the data set."""
    image = read_image(path, spec, any_size=True)
    mask = cars_mask((one for one in read_objects(file) if one.name == CAR), mapped, file)
    refuse_other_shape(file, mask.shape, (image.shape[0], image.shape[1]), "mask")
    return resized(cropped(Pixels(image, mask), box), spec.size)


def cars_mask(cars: Iterable[Object], mapped: ClassMap, file: Path) -> np.ndarray:
    """(H, W) uint8 class ids of all cars, of which there is at least one. Raises UserError for an unknown part."""
    mask: np.ndarray | None = None
    for car in cars:
        mask = np.zeros(car.mask.shape, np.uint8) if mask is None else mask
        mask[car.mask] = mapped.ids[CAR]
        for name, pixels in sorted(car.parts, key=lambda part: -np.count_nonzero(part[1])):
            kind = re.sub(r"_\d+$", "", name)
            if kind not in mapped.ids or pixels.shape != mask.shape:
                raise UserError(f"{file}: {name} is no part of a car, or of another size than the car; {OWN}")
            mask[pixels] = mapped.ids[kind]
    assert mask is not None
    return mask
