"""CVAT: keypoints in the XML of `CVAT for images 1.1`, as points with a label each; read from skeletons, too."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from stages.common.exchange.contract import Expected, Size
from stages.common.exchange.cvat_xml import CHECKED, GUESS, annotated_images, points_of, text_of, write_task
from stages.common.exchange.points import HIDDEN, SEEN, Mark, Pointed, marks_of, tables_of

SHAPES = ("points", "skeleton")


def write(folder: Path, items: Sequence[Pointed], points: Sequence[str]) -> None:
    """The annotations, with a shape for each point, and the labels of the task."""
    images = [(item.name, item.size, [_shape(mark) for mark in marks_of(item, points)]) for item in items]
    write_task(folder, images, dict(enumerate(points, start=1)), "points", (CHECKED,))


def _shape(mark: Mark) -> tuple[str, dict[str, str]]:
    place, hidden = f"{mark.x + 0.5:.2f},{mark.y + 0.5:.2f}", str(int(mark.visibility == HIDDEN))
    return "points", {"label": mark.label, "source": GUESS, "occluded": hidden, "points": place, "z_order": "0"}


def read(path: Path, size: Size, points: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(K, 3) float32 keypoints by image name, as in `Pointed`; occluded ones are hidden, those outside unknown.

    The tool keeps two decimals. Images without points are absent, and those with untouched guesses. Raises UserError
    when the file is no such XML, or holds unknown images or points, other sizes, or a point twice.
    """
    expected = Expected(path, size, points, names)
    found = annotated_images(expected, SHAPES)
    return tables_of(expected, ((name, _marks(shapes, name, expected)) for name, shapes in found))


def _marks(shapes: list[ElementTree.Element], name: str, expected: Expected) -> Iterator[Mark]:
    for shape in (one for parent in shapes for one in parent.iter("points")):
        if shape.get("outside") == "1":
            continue
        with expected.within(f"{name}, points {shape.get('label')}"):
            label, places = text_of(shape, "label"), points_of(shape) - 0.5
            if len(places) != 1:
                raise ValueError("needs one place")
        x, y = places[0].tolist()
        yield Mark(label, x, y, HIDDEN if shape.get("occluded") == "1" else SEEN)
