"""COCO: instances as JSON, with masks as packed run lengths; read with run lengths of any kind and polygons."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.coco_entries import CocoCategory, CocoImage, Entry
from stages.common.coco_masks import decoded
from stages.common.errors import UserError
from stages.common.exchange.contract import (
    Annotated,
    Expected,
    Region,
    Size,
    labels_of,
    masks_of,
    read_export,
    regions_of,
    say_left_out,
)
from stages.common.params import parse
from stages.common.paths import write_atomically

INSTANCES = "instances_default.json"  # as CVAT calls it
BARE = "they have no annotation, and COCO does not tell whether that is one"


class Instance(Entry):
    """segmentation: polygons x, y, x, y, ..., or run lengths, packed or not."""

    image_id: int
    category_id: int
    segmentation: Any = None


class Instances(Entry):
    """The whole file."""

    images: tuple[CocoImage, ...]
    annotations: tuple[Instance, ...]
    categories: tuple[CocoCategory, ...]


def write(folder: Path, items: Sequence[Annotated], classes: Sequence[str]) -> None:
    """The images, the labels as categories under their ids, and an annotation for each label of an image."""
    images, annotations = [], list[dict[str, Any]]()
    for number, item in enumerate(items, start=1):
        height, width = item.size
        images.append({"id": number, "file_name": f"{item.name}.png", "height": height, "width": width})
        for class_id, region in regions_of(item, classes):
            identity = {"id": len(annotations) + 1, "image_id": number, "category_id": class_id}
            annotations.append(identity | _segmentation(region))
    categories = [{"id": number, "name": label, "supercategory": ""} for number, label in labels_of(classes).items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_atomically(folder / INSTANCES, json.dumps(content).encode())


def _segmentation(region: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco

    packed = coco.encode(np.asfortranarray(region, np.uint8))
    return {
        "segmentation": {"size": list(packed["size"]), "counts": packed["counts"].decode("ascii")},
        "area": int(coco.area(packed)),
        "bbox": coco.toBbox(packed).tolist(),
        "iscrowd": 0,
    }


def read(path: Path, size: Size, classes: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(H, W) uint8 masks by image name, classes by their names; later annotations lie over earlier ones.

    Images without an annotation are absent; how many is printed. Raises UserError when the file is no such JSON, or
    holds unknown images or classes, other sizes, or annotations without a segmentation that fits.
    """
    expected, content = Expected(path, size, classes, names), read_export(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: no mapping with images, annotations and categories; export instances in COCO's format"
        )
    return masks_of(expected, _images(parse(Instances, content, path, ""), expected))


def _images(found: Instances, expected: Expected) -> Iterator[tuple[str, Iterator[Region]]]:
    images = {image.id: image for image in found.images}
    categories = {category.id: category.name for category in found.categories}
    for number, one in enumerate(found.annotations):
        if one.image_id not in images or one.category_id not in categories:
            key, part = ("image_id", "images") if one.image_id not in images else ("category_id", "categories")
            raise UserError(
                f"{expected.path}: annotations.{number}.{key}: {getattr(one, key)} is not listed; add it to {part}"
            )
    annotated = dict.fromkeys(one.image_id for one in found.annotations)
    say_left_out(expected.path, BARE, len(images.keys() - annotated))
    for image_id in annotated:
        image, name = images[image_id], expected.name_of(images[image_id].file_name)
        if image.height and image.width:
            expected.check_size((image.height, image.width), name)
        yield name, _regions([one for one in found.annotations if one.image_id == image_id], categories, name, expected)


def _regions(instances: list[Instance], categories: dict[int, str], name: str, expected: Expected) -> Iterator[Region]:
    for number, one in enumerate(instances, start=1):
        label = categories[one.category_id]
        where = f"{name}, annotation {number} ({label})"
        with expected.within(where):
            if not one.segmentation:
                raise ValueError("no segmentation")
            mask = decoded(one.segmentation, expected.size)
        yield expected.class_id(label, where), mask
