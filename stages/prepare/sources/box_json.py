"""annotations.json beside images/: the boxes of every image, in the format of COCO."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator

from stages.common.coco_entries import CocoCategory, CocoImage, Entry
from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.sources.coco_json import image_names, read_coco, refuse_other_size, refuse_unlisted

NAME = "annotations.json"
WHY = "dataset.yaml says labels: boxes, so list them there, as COCO does"
TOLERANCE = 1.0  # pixels that a box may reach over the border, for tools round; it is clipped


def _four_numbers(found: Any) -> Any:
    numbers = isinstance(found, list) and all(isinstance(side, int | float) for side in found)
    if not numbers or len(found) != 4:
        raise ValueError("needs four numbers: left, top, width, height")
    return found


class CocoBox(Entry):
    """bbox: left, top, width, height in pixels. iscrowd: 1 for a box around a crowd that nobody has told apart."""

    image_id: int
    category_id: int
    bbox: Annotated[tuple[float, float, float, float], BeforeValidator(_four_numbers)]
    iscrowd: int = 0


class Coco(Entry):
    """The whole file."""

    images: tuple[CocoImage, ...]
    annotations: tuple[CocoBox, ...]
    categories: tuple[CocoCategory, ...]


class Boxes(NamedTuple):
    """(K, 5) float32 left, top, right, bottom in pixels, class id; ignored: (J, 5), those around crowds.

    width, height: of the image that they were drawn in, None where nobody says it.
    """

    counted: np.ndarray
    ignored: np.ndarray
    width: int | None = None
    height: int | None = None


def read_boxes(path: Path, spec: DatasetSpec) -> Mapping[str, Boxes]:
    """File name -> the boxes of that image; empty for one without a box.

    Raises UserError when the file is missing or no such JSON, names an image twice,
    or has a box of an image or class that it or dataset.yaml does not name, or without area.
    """
    found = read_coco(Coco, path, WHY)
    names = image_names(found.images, path)
    classes = _class_ids(found, spec, path)
    rows: dict[tuple[str, bool], list[tuple[float, ...]]] = {}
    for number, box in enumerate(found.annotations):
        left, top, width, height = box.bbox
        if box.image_id not in names or box.category_id not in classes:
            key, part = ("image_id", "images") if box.image_id not in names else ("category_id", "categories")
            raise UserError(
                f"{path}: annotations.{number}.{key}: {getattr(box, key)} is listed nowhere in the file; add it to "
                f"{part}, or correct or remove the box"
            )
        if width <= 0 or height <= 0:
            raise UserError(f"{path}: annotations.{number}.bbox: {width:g} x {height:g} pixels is no area; remove it")
        row = (left, top, left + width, top + height, classes[box.category_id])
        rows.setdefault((names[box.image_id], bool(box.iscrowd)), []).append(row)
    found_boxes = {}
    for image in found.images:
        counted, ignored = (_array(rows.get((names[image.id], crowd), [])) for crowd in (False, True))
        found_boxes[names[image.id]] = Boxes(counted, ignored, image.width, image.height)
    return found_boxes


def _array(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


def _class_ids(found: Coco, spec: DatasetSpec, path: Path) -> dict[int, int]:
    """Category id -> class id, by name. A category that no box has may be unknown to dataset.yaml."""
    used = {box.category_id for box in found.annotations}
    known = {spec.classes[index]: index for index in spec.foreground}
    for category in found.categories:
        if category.name not in known and category.id in used:
            raise UserError(
                f"{path}: categories: {category.name} is no class of dataset.yaml; known there: {', '.join(known)}"
            )
    return {category.id: known[category.name] for category in found.categories if category.name in known}


def boxes_of(path: Path, table: Mapping[str, Boxes], listed_in: Path, size: tuple[int, int]) -> Boxes:
    """The boxes of an image of `size` (height, width), clipped to it.

    Raises UserError when the file does not list the image, says another size of it, or has a box that reaches out of it
    by more than a pixel.
    """
    refuse_unlisted(path, table, listed_in, "list it, also without a box, or remove it")
    found = table[path.name]
    refuse_other_size(path, (found.height, found.width), size, listed_in, "boxes")
    counted, ignored = (_clipped(boxes, path, listed_in, size) for boxes in (found.counted, found.ignored))
    return found._replace(counted=counted, ignored=ignored)


def _clipped(boxes: np.ndarray, path: Path, listed_in: Path, size: tuple[int, int]) -> np.ndarray:
    limits = np.array([size[1], size[0], size[1], size[0]], np.float32)
    clipped = np.clip(boxes[:, :4], 0, limits)
    wrong = (np.abs(clipped - boxes[:, :4]) > TOLERANCE).any(axis=1) | (clipped[:, 2:] <= clipped[:, :2]).any(axis=1)
    if wrong.any():
        left, top, right, bottom = boxes[wrong][0, :4]
        raise UserError(
            f"{listed_in}: {path.name}: the box from {left:g}, {top:g} to {right:g}, {bottom:g} reaches out of the "
            f"image of {size[1]} x {size[0]} pixels; correct it"
        )
    return np.concatenate([clipped, boxes[:, 4:]], axis=1)
