"""Cars of ADE20K (Zhou et al.: Scene Parsing through ADE20K Dataset, CVPR 2017), release of 2021, each cut out.

`images/ADE/<training or validation>/<group>/<scene>/<name>.jpg` has beside it `<name>.json`, which lists all objects
and parts with their class and polygon, `<name>_seg.png` and, where objects have parts, `<name>_parts_1.png` and for
parts of parts `<name>_parts_2.png`. Their red and green hold the class, red // 10 * 256 + green, and the blue of
`_seg.png` tells objects apart. The class is the `name_ndx` of the .json, so the release's index, a pickle, is not
needed. Training images are learned from, validation ones tested on.

Cars whose parts somebody marked are cropped as those of PASCAL-Part are (see pascalpart.py). The pixels of other cars
in the crop are ignored, for nobody knows their parts. Cars of one image are a group.
"""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.coco_masks import polygons_mask
from stages.common.errors import UserError
from stages.common.spec import IGNORE, DatasetSpec
from stages.prepare.cropping import Box, cropped
from stages.prepare.params import PrepareParams
from stages.prepare.reading import open_label, read_image, refuse_other_shape, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.instances import folder_of, frame_of
from stages.prepare.sources.object_crops import box_over

CAR = "car"
MOTOR_CAR = "car, auto"  # how the names of its class begin
POOLS = {"training": "labeled", "validation": "test"}
LEVELS = (1, 2)
LACKING = "no such file; put ADE20K's own there"


class Car(NamedTuple):
    """corners: (K, 2) x, y of its polygon. marked: whether it has parts."""

    corners: np.ndarray
    marked: bool


class Scene(NamedTuple):
    """path: of the .json. size: (height, width). names: short name of a class, by its number. cars: all of them."""

    path: Path
    size: tuple[int, int]
    names: dict[int, str]
    cars: list[Car]


def read_source(params: PrepareParams) -> Source:
    """All cars with parts that are large enough. Raises UserError when there are none."""
    root, size = folder_of(params, "images/ADE/training/"), frame_of(params)
    mapped = class_map("ade20k", params.classes)
    spec = DatasetSpec(name="ade20k", size=size, channels=3, classes=mapped.classes)
    records = []
    for split, pool in POOLS.items():
        for path in sorted(root.glob(f"**/{split}/**/ADE_*.json")):
            # Most images show no car: looking for the name is far faster than parsing their lists.
            if f'"{MOTOR_CAR}'.encode() in (content := path.read_bytes()):
                records += car_records(read_scene(path, content), pool, mapped, spec, params.group_pattern)
    if not records:
        raise UserError(f"{root}: no image in images/ADE/training/ shows a car with parts; unpack ADE20K of 2021 there")
    return Source(spec, records)


def read_scene(path: Path, content: bytes) -> Scene:
    """What a .json says. Raises UserError when it is none of ADE20K's."""
    try:
        # Some names are not UTF-8.
        found = json.loads(content.decode("latin-1"))["annotation"]
        height, width = (int(side) for side in found["imsize"][:2])
        names = {int(one["name_ndx"]): short_name(one["name"]) for one in found["object"]}
        cars = [
            Car(np.array([one["polygon"]["x"], one["polygon"]["y"]], float).T, one["parts"]["hasparts"] != [])
            for one in found["object"]
            if short_name(one["name"]) == CAR and len(one["polygon"]["x"]) > 2
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no list of ADE20K's of 2021 ({error!r}); put its own file there") from error
    return Scene(path, (height, width), names, cars)


def short_name(names: str) -> str:
    """The first of the names of a class; for cars of a railway, which are called so too, all of them."""
    first = names.partition(",")[0].strip()
    return names if first == CAR and not names.startswith(MOTOR_CAR) else first


def car_records(scene: Scene, pool: str, mapped: ClassMap, spec: DatasetSpec, pattern: str | None) -> list[Record]:
    """Records of the cars of an image that have parts and are large enough."""
    path = scene.path.with_suffix(".jpg")
    group = group_of(path.stem, pool, pattern)
    records = []
    for number, car in enumerate(scene.cars):
        (left, top), (right, bottom) = car.corners.min(0), car.corners.max(0)
        box = box_over(left, top, right, bottom, spec.size) if car.marked else None
        if box is not None:
            read = partial(read_car, path, scene, box, mapped, spec)
            records.append(Record(f"{path.stem}-{number}", pool, group, str(path), read))
    return records


def read_car(path: Path, scene: Scene, box: Box, mapped: ClassMap, spec: DatasetSpec) -> Pixels:
    """The image in the box with its mask, both at the size of the data set."""
    image = read_image(path, spec, any_size=True)
    refuse_other_shape(scene.path, scene.size, (image.shape[0], image.shape[1]), "list")
    return resized(cropped(Pixels(image, cars_mask(scene, mapped)), box), spec.size)


def cars_mask(scene: Scene, mapped: ClassMap) -> np.ndarray:
    """(H, W) uint8 class ids of the cars with parts; those without are ignored."""
    codes, objects = read_codes(scene, "_seg.png")
    shown = np.isin(codes, [number for number, name in scene.names.items() if name == CAR])
    marked = [object_of(car, shown, objects) for car in scene.cars if car.marked]
    known = shown & np.isin(objects, [number for number in marked if number is not None])
    mask = np.where(known, mapped.ids[CAR], np.where(shown, IGNORE, 0)).astype(np.uint8)
    for level in LEVELS:
        if beside(scene.path, f"_parts_{level}.png").is_file():
            paint(mask, read_codes(scene, f"_parts_{level}.png")[0], known, scene.names, mapped)
    return mask


def object_of(car: Car, shown: np.ndarray, objects: np.ndarray) -> int | None:
    """The number in `objects` (H, W) that most pixels of cars in the polygon have; None where none of it is seen."""
    left, top = np.floor(car.corners.min(0)).astype(int).clip(0)
    right, bottom = np.ceil(car.corners.max(0)).astype(int) + 1
    window = (slice(top, bottom), slice(left, right))
    height, width = shown[window].shape
    inside = polygons_mask([(car.corners - [left, top]).ravel().tolist()], (height, width)) & shown[window]
    return int(np.bincount(objects[window][inside]).argmax()) if inside.any() else None


def paint(mask: np.ndarray, codes: np.ndarray, known: np.ndarray, names: dict[int, str], mapped: ClassMap) -> None:
    """Set the mask to the classes of the parts that lie on the known cars."""
    for number in np.unique(codes[known]).tolist():
        name = names.get(number, "")
        if name in mapped.ids and name != CAR:
            mask[known & (codes == number)] = mapped.ids[name]


def beside(path: Path, ending: str) -> Path:
    """The file of the same image with this ending."""
    return path.with_name(path.stem + ending)


def read_codes(scene: Scene, ending: str) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) numbers of the classes and (H, W) of the objects. Raises UserError for a file in no colours."""
    path = beside(scene.path, ending)
    opened = open_label(path, LACKING)
    if opened.mode != "RGB":
        raise UserError(f"{path}: mode {opened.mode}, but ADE20K's are RGB; put its own file there")
    pixels = np.asarray(opened).astype(np.int32)
    refuse_other_shape(path, pixels.shape[:2], scene.size, "mask")
    return pixels[:, :, 0] // 10 * 256 + pixels[:, :, 1], pixels[:, :, 2]
