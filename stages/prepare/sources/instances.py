"""Cut-outs of objects that have a mask each, at the size that their images get."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.masks import LEAST
from stages.common.spec import DatasetSpec
from stages.prepare.cutouts.canvas import SOLID, on_canvas
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_image, resized
from stages.prepare.records import Pixels, Record


class Instance(NamedTuple):
    """mask: of the whole image, (H, W) bool, given its size."""

    class_id: int
    mask: Callable[[tuple[int, int]], np.ndarray]


class Pictured(NamedTuple):
    """An image with its objects."""

    path: Path
    instances: Sequence[Instance]


def cut_instances(find: Callable[[str], Pictured], spec: DatasetSpec, largest: float, record: Record) -> list[Record]:
    """A record for each object of an image, which is read once; those are left out of which hardly anything is seen at
    this size."""
    path, instances = find(record.source_id)
    if not instances:
        return []
    image, found = read_image(path, spec, any_size=True), []
    for number, instance in enumerate(instances):
        pixels = _whole(image, instance, spec)
        if pixels.alpha is not None and np.count_nonzero(pixels.alpha >= SOLID) >= LEAST:
            read = partial(on_canvas, pixels, spec.size, largest)
            found.append(replace(record, source_id=f"{record.source_id}-{number}", read=read))
    return found


def _whole(image: np.ndarray, instance: Instance, spec: DatasetSpec) -> Pixels:
    mask = instance.mask((image.shape[0], image.shape[1]))
    alpha = np.where(mask, 255, 0).astype(np.uint8)
    return resized(Pixels(image, alpha=alpha, class_id=instance.class_id), spec.size)


def read_boxed(path: Path, boxes: np.ndarray, ignored: np.ndarray, spec: DatasetSpec) -> Pixels:
    """An image with boxes (K, 5) and ignored ones (J, 5), kept within it, at the size of the data set."""
    image = read_image(path, spec, any_size=True)
    kept, passed = (_within(rows, image.shape[0], image.shape[1]) for rows in (boxes, ignored))
    return resized(Pixels(image, boxes=kept, ignored=passed if len(passed) else None), spec.size)


def _within(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    kept = boxes.reshape(-1, 5).astype(np.float32)
    kept[:, :4] = kept[:, :4].clip(0, [width, height, width, height])
    return kept[((kept[:, 2:4] - kept[:, :2]) > 0).all(1)]


def frame_of(params: PrepareParams) -> tuple[int, int]:
    """The size that all images get. Raises UserError when the params do not say it."""
    if params.resize is None:
        raise UserError(
            f"prepare.resize: not set; source {params.source} needs the [height, width] that all images get"
        )
    return params.resize


def folder_of(params: PrepareParams, holds: str) -> Path:
    """params.path. Raises UserError when it is no folder."""
    if params.path is None or not params.path.is_dir():
        found = "not set" if params.path is None else f"{params.path} is no folder"
        raise UserError(f"prepare.path: {found}; source {params.source} needs the one with {holds}")
    return params.path
