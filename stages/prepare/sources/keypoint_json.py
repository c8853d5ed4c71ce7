"""keypoints.json beside images/: the keypoints of every image, in the format of COCO.

COCO's keypoints are indices of pixels, from 0 to the width or height less one, while its boxes and polygons are
measured from the corner of the image. So 0, 0 is the middle of the first pixel, as in every keypoint here, and the
places are taken as they are. A tool that measured them from the corner made them half a pixel too large.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.coco_entries import CocoImage, Entry
from stages.common.errors import UserError
from stages.prepare.cropping import Box, moved
from stages.prepare.sources.coco_json import image_names, read_coco, refuse_other_size, refuse_unlisted

NAME = "keypoints.json"
WHY = "dataset.yaml says that images have keypoints, so list them there, as COCO does"


class CocoKeypoints(Entry):
    """keypoints: x, y and visibility of each point in turn."""

    image_id: int
    keypoints: tuple[float, ...]


class Coco(Entry):
    """The whole file."""

    images: tuple[CocoImage, ...]
    annotations: tuple[CocoKeypoints, ...]


class Keypoints(NamedTuple):
    """points: (K, 3) float32 x, y in pixels and visibility (0 unknown, 1 hidden, 2 seen), None without an annotation.

    width, height: of the image that they were drawn in, None where nobody says it.
    """

    points: np.ndarray | None
    width: int | None = None
    height: int | None = None


def read_keypoints(path: Path, count: int) -> Mapping[str, Keypoints]:
    """File name -> the `count` keypoints of that image.

    Raises UserError when the file is missing or no such JSON, names an image twice, or has an annotation of an image
    that it does not name or that has another one, of another number of points, or of an unknown visibility.
    """
    found = read_coco(Coco, path, WHY)
    names = image_names(found.images, path)
    points: dict[int, np.ndarray] = {}
    for number, one in enumerate(found.annotations):
        place = f"{path}: annotations.{number}"
        if one.image_id not in names:
            raise UserError(
                f"{place}.image_id: {one.image_id} is listed nowhere in the file; add it to images, or correct or "
                "remove the annotation"
            )
        if one.image_id in points:
            raise UserError(
                f"{place}: {names[one.image_id]} has another annotation, but keypoints are those of one object an "
                "image; remove one of them"
            )
        points[one.image_id] = _points(one.keypoints, count, place)
    return {names[one.id]: Keypoints(points.get(one.id), one.width, one.height) for one in found.images}


def _points(numbers: tuple[float, ...], count: int, place: str) -> np.ndarray:
    if len(numbers) != 3 * count:
        raise UserError(
            f"{place}.keypoints: {len(numbers)} numbers, but the {count} keypoints of dataset.yaml take {3 * count}, "
            "x, y and visibility each"
        )
    points = np.array(numbers, np.float32).reshape(count, 3)
    strange = np.setdiff1d(points[:, 2], [0, 1, 2])
    if len(strange):
        raise UserError(
            f"{place}.keypoints: a visibility of {strange[0]:g}; write 0 for unknown, 1 for hidden, 2 for seen"
        )
    return points


def keypoints_of(path: Path, table: Mapping[str, Keypoints], listed_in: Path, size: tuple[int, int]) -> np.ndarray:
    """(K, 3) keypoints of an image of `size` (height, width); those outside of it count as hidden.

    Raises UserError when the file does not list the image, says another size of it, or has no annotation of it.
    """
    refuse_unlisted(path, table, listed_in, "list it with its keypoints, or remove it")
    found = table[path.name]
    refuse_other_size(path, (found.height, found.width), size, listed_in, "keypoints")
    if found.points is None:
        raise UserError(
            f"{listed_in}: {path.name} has no annotation; add its keypoints, with visibility 0 where nobody knows "
            "them, or remove the image"
        )
    return moved(found.points, Box(0, 0, size[1], size[0]))
