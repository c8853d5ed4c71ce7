"""Label Studio: masks, as tasks with brush masks to start from, and from the JSON export with brush and polygons."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from stages.common.coco_masks import polygons_mask
from stages.common.errors import UserError
from stages.common.exchange.brush_rle import decode_brush, encode_brush
from stages.common.exchange.contract import Annotated, Expected, Region, Size, labels_of, masks_of, regions_of
from stages.common.exchange.label_studio_tasks import (
    LOCAL,
    Annotation,
    Drawn,
    annotations_of,
    result_of,
    task_of,
    write_project,
)

BRUSH = "brush"
TAGS = {"BrushLabels": BRUSH, "PolygonLabels": "polygon"}
NO_MASKS = ("rectangle", "ellipse", "bitmask", "vector")


def write(folder: Path, items: Sequence[Annotated], classes: Sequence[str], images: str = LOCAL) -> None:
    """Tasks with a prediction where there is a mask, and the labelling interface of their project.

    images: what comes before the names of the files; by default they are in `images/` of the folder that
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT names. The tool serves them when LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED is
    true and the project has a storage of local files with the path of `images/`.
    """
    labels, tasks = labels_of(classes), []
    for item in items:
        result = [
            result_of(number, BRUSH, item.size, _brush(labels[number], region))
            for number, region in regions_of(item, classes)
        ]
        tasks.append(task_of(item.name, None if item.mask is None else result, images))
    write_project(folder, tasks, labels, TAGS)


def _brush(label: str, region: np.ndarray) -> dict[str, object]:
    return {"format": "rle", "rle": encode_brush(region), "brushlabels": [label]}


def read(path: Path, size: Size, classes: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(H, W) uint8 masks by image name from an export as JSON; later regions lie over earlier ones.

    Of several annotations the one marked as ground truth counts, or else the one changed last. Images that nobody
    annotated or that were skipped are absent; one that was submitted without a region is all background.
    Raises UserError when the file is no such export, or holds unknown images or classes, other sizes, damaged masks, or
    shapes that are no masks.
    """
    expected = Expected(path, size, classes, names)
    found = annotations_of(expected)
    return masks_of(expected, ((name, _regions(annotation, name, expected)) for name, annotation in found))


def _regions(annotation: Annotation, name: str, expected: Expected) -> Iterator[Region]:
    labelled = {result.id for result in annotation.result if result.value and _labels(result.value)}
    for number, result in enumerate(annotation.result, start=1):
        value, where = result.value, f"{name}, region {number}"
        if result.type.startswith(NO_MASKS):
            raise UserError(f"{expected.path}: {where}: {result.type} is no mask; draw it with the brush or a polygon")
        if value is None or (value.rle is None and value.points is None):
            continue
        labels = _labels(value)
        if not labels and result.id in labelled:
            continue
        if len(labels) != 1:
            found = ", ".join(labels) or "none"
            raise UserError(f"{expected.path}: {where}: needs one label, but has {found}; give it one and export again")
        with expected.within(where):
            result.check(expected, where)
            mask = _mask(value, expected.size)
        yield expected.class_id(labels[0], where), mask


def _labels(value: Drawn) -> tuple[str, ...]:
    """Of a brush mask or polygon, whichever tag they are from."""
    return (*value.brushlabels, *value.polygonlabels, *value.labels)


def _mask(value: Drawn, size: Size) -> np.ndarray:
    if value.rle is None:
        sides = np.array(size[::-1]) / 100
        return polygons_mask([(np.reshape(value.points or (), (-1, 2)) * sides).ravel().tolist()], size)
    if value.format != "rle":
        raise ValueError(f"a mask in the format {value.format}, but only rle is read")
    return decode_brush(value.rle, size)
