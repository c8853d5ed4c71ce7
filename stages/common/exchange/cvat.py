"""CVAT: masks in the XML of `CVAT for images 1.1`, read with polygons, too."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from stages.common.coco_masks import polygons_mask, runs_mask
from stages.common.errors import UserError
from stages.common.exchange.contract import Annotated, Expected, Region, Size, labels_of, masks_of, regions_of
from stages.common.exchange.cvat_xml import (
    CHECKED,
    EMPTY,
    GUESS,
    annotated_images,
    points_of,
    text_of,
    whole_of,
    write_task,
)

NO_MASKS = ("box", "ellipse", "polyline", "cuboid")
SHAPES = ("mask", "polygon", *NO_MASKS)


def write(folder: Path, items: Sequence[Annotated], classes: Sequence[str]) -> None:
    """The annotations, with a mask for each label of an image, and the labels of the task."""
    labels, images = labels_of(classes), []
    for item in items:
        shapes = [("mask", _attributes(labels[number], region)) for number, region in regions_of(item, classes)]
        images.append((item.name, item.size, shapes))
    write_task(folder, images, labels, "any", (CHECKED, EMPTY))


def _attributes(label: str, region: np.ndarray) -> dict[str, str]:
    """Of a mask, cut to the box around its pixels."""
    rows, columns = (np.flatnonzero(region.any(axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    numbers = {"left": left, "top": top, "width": right - left, "height": bottom - top, "z_order": 0, "occluded": 0}
    runs = ", ".join(map(str, run_lengths(region[top:bottom, left:right])))
    return {"label": label, "source": GUESS, "rle": runs} | {key: str(number) for key, number in numbers.items()}


def run_lengths(region: np.ndarray) -> list[int]:
    """Lengths of runs of pixels, outside and inside in turn, row by row; the first is 0 when the first pixel is inside.

    region: (H, W) bool.
    """
    changes = np.flatnonzero(np.diff(region.ravel(), prepend=False))
    lengths: list[int] = np.diff(changes, prepend=0, append=region.size).tolist()
    return lengths


def read(path: Path, size: Size, classes: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(H, W) uint8 masks by image name; shapes of a higher z_order lie over lower ones, later ones over earlier ones.

    Images without a mask or polygon are absent, unless they are tagged as empty, and those with untouched guesses, for
    the tool lists them all.
    Raises UserError when the file is no such XML, or holds unknown images or classes, other sizes, damaged masks, or
    shapes that are no masks.
    """
    expected = Expected(path, size, classes, names)
    found = annotated_images(expected, SHAPES)
    return masks_of(expected, ((name, _regions(shapes, name, expected)) for name, shapes in found))


def _regions(shapes: list[ElementTree.Element], name: str, expected: Expected) -> Iterator[Region]:
    with expected.within(name):
        layered = sorted(shapes, key=lambda shape: whole_of(shape, "z_order") if "z_order" in shape.attrib else 0)
    for shape in layered:
        where = f"{name}, {shape.tag} {shape.get('label')}"
        if shape.tag in NO_MASKS:
            raise UserError(f"{expected.path}: {where}: is no mask; draw it with the brush or as a polygon")
        with expected.within(where):
            label = text_of(shape, "label")
            region = (_mask if shape.tag == "mask" else _polygon)(shape, expected.size)
        yield expected.class_id(label, where), region


def _mask(shape: ElementTree.Element, size: Size) -> np.ndarray:
    left, top, width, height = (whole_of(shape, key) for key in ("left", "top", "width", "height"))
    if min(left, top, width, height) < 0 or left + width > size[1] or top + height > size[0]:
        raise ValueError(f"the mask at {left}, {top} of {width} x {height} pixels reaches out of the image")
    counts = [int(count) for count in text_of(shape, "rle").split(",")]
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = runs_mask(counts, (width, height)).T
    return mask


def _polygon(shape: ElementTree.Element, size: Size) -> np.ndarray:
    return polygons_mask([points_of(shape).ravel().tolist()], size)
