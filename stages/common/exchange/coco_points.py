"""COCO: keypoints as JSON, one object an image."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.coco_entries import CocoCategory, CocoImage, Entry
from stages.common.errors import UserError
from stages.common.exchange.contract import Expected, Size, read_export, say_left_out
from stages.common.exchange.points import Mark, Pointed, marks_of, tables_of
from stages.common.params import parse
from stages.common.paths import write_atomically

KEYPOINTS = "person_keypoints_default.json"  # as CVAT calls it, whatever the object is


class PointCategory(CocoCategory):
    """keypoints: the names of the points."""

    keypoints: tuple[str, ...] = ()


class PointAnnotation(Entry):
    """keypoints: x, y, visibility of each point in turn."""

    image_id: int
    category_id: int
    keypoints: tuple[float, ...] = ()


class Keypoints(Entry):
    """The whole file."""

    images: tuple[CocoImage, ...]
    annotations: tuple[PointAnnotation, ...]
    categories: tuple[PointCategory, ...]


def write(
    folder: Path,
    items: Sequence[Pointed],
    points: Sequence[str],
    category: str = "object",
    ids: Sequence[int] | None = None,
) -> None:
    """The images, a category with the names of the points, and an annotation for each image with keypoints.

    ids: of the images and their annotations, from 1 by default.
    """
    images, annotations = [], []
    for number, item in zip(range(1, len(items) + 1) if ids is None else ids, items, strict=True):
        height, width = item.size
        images.append({"id": number, "file_name": f"{item.name}.png", "height": height, "width": width})
        if marks := marks_of(item, points):
            annotations.append({"id": number, "image_id": number, "category_id": 1} | _annotation(marks, points))
    categories = [{"id": 1, "name": category, "supercategory": "", "keypoints": list(points), "skeleton": []}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_atomically(folder / KEYPOINTS, json.dumps(content).encode())


def _annotation(marks: list[Mark], points: Sequence[str]) -> dict[str, Any]:
    places = {mark.label: (mark.x, mark.y, mark.visibility) for mark in marks}
    left, top = min(mark.x for mark in marks), min(mark.y for mark in marks)
    width, height = max(mark.x for mark in marks) - left, max(mark.y for mark in marks) - top
    return {
        "keypoints": [number for label in points for number in places.get(label, (0, 0, 0))],
        "num_keypoints": len(marks),
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def read(path: Path, size: Size, points: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(K, 3) float32 keypoints by image name, as in `Pointed`; points by their names.

    Images without an annotation are absent; how many is printed. Raises UserError when the file is no such JSON, or
    holds unknown images or points, other sizes, or more than one object in an image.
    """
    expected, content = Expected(path, size, points, names), read_export(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: no mapping with images, annotations and categories; export keypoints in COCO's format"
        )
    return tables_of(expected, _images(parse(Keypoints, content, path, ""), expected))


def _images(found: Keypoints, expected: Expected) -> Iterator[tuple[str, list[Mark]]]:
    images = {image.id: image for image in found.images}
    labels = {category.id: category.keypoints for category in found.categories}
    annotated = {one.image_id for one in found.annotations}
    say_left_out(expected.path, "they have no annotation", len(images.keys() - annotated))
    for number, one in enumerate(found.annotations):
        if one.image_id not in images or one.category_id not in labels:
            raise UserError(
                f"{expected.path}: annotations.{number}: image_id {one.image_id} or category_id {one.category_id} is "
                "not listed; add it to images or categories"
            )
        image, name = images[one.image_id], expected.name_of(images[one.image_id].file_name)
        if image.height and image.width:
            expected.check_size((image.height, image.width), name)
        with expected.within(name):
            marks = _marks(one, labels[one.category_id])
        yield name, marks


def _marks(annotation: PointAnnotation, labels: Sequence[str]) -> list[Mark]:
    numbers = annotation.keypoints
    if not labels or len(numbers) != 3 * len(labels):
        raise ValueError(f"{len(numbers)} numbers, but {len(labels)} points need {3 * len(labels)}")
    rows = zip(labels, numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return [Mark(label, x, y, int(visibility)) for label, x, y, visibility in rows if visibility]
