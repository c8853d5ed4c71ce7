"""Label Studio: keypoints, as tasks with points to start from, and from the JSON export.

The tool knows no hidden points: they come back as seen.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.exchange.contract import Expected, Size
from stages.common.exchange.label_studio_tasks import (
    LOCAL,
    Annotation,
    annotations_of,
    result_of,
    task_of,
    write_project,
)
from stages.common.exchange.points import SEEN, Mark, Pointed, marks_of, tables_of

POINT = "keypoint"
DOT = 0.75  # percent of the image's width that a point is drawn with


def write(folder: Path, items: Sequence[Pointed], points: Sequence[str], images: str = LOCAL) -> None:
    """Tasks with a prediction where there are keypoints, and the labelling interface, as `label_studio.write`."""
    tasks = []
    for item in items:
        result = [
            result_of(number, POINT, item.size, _point(mark, item.size))
            for number, mark in enumerate(marks_of(item, points), start=1)
        ]
        tasks.append(task_of(item.name, None if item.keypoints is None else result, images))
    write_project(folder, tasks, dict(enumerate(points, start=1)), {"KeyPointLabels": POINT})


def _point(mark: Mark, size: Size) -> dict[str, object]:
    x, y = 100 * (mark.x + 0.5) / size[1], 100 * (mark.y + 0.5) / size[0]
    return {"x": x, "y": y, "width": DOT, "keypointlabels": [mark.label]}


def read(path: Path, size: Size, points: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(K, 3) float32 keypoints by image name, as in `Pointed`; images as in `label_studio.read`.

    Raises UserError when the file is no such export, or holds unknown images or points, other sizes, or a point twice.
    """
    expected = Expected(path, size, points, names)
    found = annotations_of(expected)
    return tables_of(expected, ((name, _marks(annotation, name, expected)) for name, annotation in found))


def _marks(annotation: Annotation, name: str, expected: Expected) -> Iterator[Mark]:
    height, width = expected.size
    for number, result in enumerate(annotation.result, start=1):
        value, where = result.value, f"{name}, region {number}"
        if value is None or not result.type.startswith(POINT):
            continue
        with expected.within(where):
            result.check(expected, where)
        if len(value.keypointlabels) != 1 or value.x is None or value.y is None:
            raise UserError(f"{expected.path}: {where}: needs one label and a place; correct it and export again")
        yield Mark(value.keypointlabels[0], value.x * width / 100 - 0.5, value.y * height / 100 - 0.5, SEEN)
