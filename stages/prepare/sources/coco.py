"""COCO (Lin et al., ECCV 2014): annotations/instances_<part>.json, and <part>/ or images/<part>/ with its images."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.coco_masks import decoded
from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.compositing_params import BackgroundParams
from stages.prepare.cutouts import spread
from stages.prepare.params import PrepareParams
from stages.prepare.records import Record, Source, group_of
from stages.prepare.sources.folder_cutouts import background_parts
from stages.prepare.sources.instances import Instance, Pictured, cut_instances, folder_of, frame_of, read_boxed


@dataclass(frozen=True)
class Part:
    """What one file of annotations says.

    images: (folder / file name, height, width) by image id. objects: those of the chosen classes by image id, as in the
    file. crowds: the same of crowds, of which nobody says how many they show.
    """

    file: Path
    images: dict[int, tuple[Path, int, int]]
    objects: dict[int, list[dict[str, Any]]]
    crowds: dict[int, list[dict[str, Any]]]
    classes: dict[int, int]


def read_source(params: PrepareParams, seed: int) -> Source:
    """Images that show a chosen class as `labeled`, those of the test part as `test`; cut-outs from the former, and
    backgrounds from the images of its part that show none. Nothing learns from images with a crowd of a chosen class;
    in a test it is neither right nor wrong to find something there."""
    root, wanted = folder_of(params, "annotations/"), params.coco
    spec = DatasetSpec(
        name="coco", size=frame_of(params), channels=3, classes=("background", *wanted.classes), labels="boxes"
    )
    learn, test = (read_part(root, name, wanted.classes) for name in (wanted.labeled, wanted.test))
    records = part_records(learn, "labeled", sorted(set(learn.objects) - set(learn.crowds)), spec, params.group_pattern)
    records += part_records(test, "test", sorted(test.images), spec, params.group_pattern)
    cut = partial(cut_instances, partial(pictured, learn), spec, params.foregrounds.largest)
    backgrounds = empty_parts(learn, spec, params.backgrounds, seed)
    return Source(spec, records, cut=cut, backgrounds=backgrounds, backdrop="own")


def read_part(root: Path, name: str, classes: tuple[str, ...]) -> Part:
    """Raises UserError when the file is missing or damaged, or has no such class."""
    file = root / "annotations" / f"instances_{name}.json"
    if not file.is_file():
        raise UserError(f"{file}: no such file; put COCO's instance annotations there")
    folder = root / "images" / name if (root / "images" / name).is_dir() else root / name
    try:
        content = json.loads(file.read_bytes())
        names = {one["name"]: one["id"] for one in content["categories"]}
        images = {one["id"]: (folder / one["file_name"], one["height"], one["width"]) for one in content["images"]}
        annotations = [
            (one["image_id"], one["category_id"], bool(one.get("iscrowd")), one) for one in content["annotations"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: not whole COCO annotations ({error!r}); fetch the file again") from error
    for wanted in classes:
        if wanted not in names:
            raise UserError(f"prepare: no class {wanted} in {file}; it has {', '.join(sorted(names))}")
    ids = {names[wanted]: number for number, wanted in enumerate(classes, start=1)}
    objects: dict[int, list[dict[str, Any]]] = {}
    crowds: dict[int, list[dict[str, Any]]] = {}
    for image, category, crowd, annotation in annotations:
        if category in ids:
            (crowds if crowd else objects).setdefault(image, []).append(annotation)
    if lost := {image for image, *_ in annotations} - set(images):
        raise UserError(f"{file}: annotations name image {min(lost)}, which images does not list; correct the file")
    return Part(file, images, objects, crowds, ids)


def part_records(part: Part, pool: str, ids: list[int], spec: DatasetSpec, pattern: str | None) -> list[Record]:
    """Records of these images with their boxes."""
    records = []
    for image in ids:
        path = part.images[image][0]
        name = str(image)
        group = group_of(path.stem, pool, pattern)
        boxes, ignored = (boxes_of(part, found.get(image, [])) for found in (part.objects, part.crowds))
        records.append(Record(name, pool, group, str(path), partial(read_boxed, path, boxes, ignored, spec)))
    return records


def boxes_of(part: Part, annotations: list[dict[str, Any]]) -> np.ndarray:
    """(K, 5) boxes of the chosen classes. Raises UserError for one that is no box."""
    rows = []
    for annotation in annotations:
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
            raise UserError(
                f"{part.file}: annotation {annotation.get('id')} has no bbox of 4 numbers; correct the file"
            )
        left, top, width, height = box
        rows.append((left, top, left + width, top + height, part.classes[annotation["category_id"]]))
    return np.array(rows, np.float32).reshape(-1, 5)


def pictured(part: Part, source_id: str) -> Pictured:
    """An image with its objects."""
    image = int(source_id)
    instances = [
        Instance(part.classes[one["category_id"]], partial(mask_of, part.file, one)) for one in part.objects[image]
    ]
    return Pictured(part.images[image][0], instances)


def mask_of(file: Path, annotation: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool. Raises UserError for a segmentation that does not fit the image."""
    try:
        return decoded(annotation.get("segmentation"), size)
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: annotation {annotation.get('id')}: {error}; correct or remove it") from error


def empty_parts(part: Part, spec: DatasetSpec, wanted: BackgroundParams, seed: int) -> list[Record]:
    """Parts of the images that show no chosen class and are as large as the frame."""
    shown = {*part.objects, *part.crowds}
    height, width = spec.size
    paths = [
        path
        for image, (path, rows, columns) in sorted(part.images.items())
        if image not in shown and rows >= height and columns >= width
    ]
    return background_parts(spread(paths, wanted.count), spec, wanted, seed) if paths else []
