"""Label Studio's files: tasks with predictions, the labelling interface of their project, and its export as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree

from pydantic import Field

from stages.common.coco_entries import Entry
from stages.common.errors import UserError
from stages.common.exchange.contract import IMAGES, Expected, Size, read_export
from stages.common.params import parse
from stages.common.paths import write_atomically
from stages.common.pictures import palette

TASKS, INTERFACE = "label_studio.json", "label_studio.xml"
LOCAL = f"/data/local-files/?d={IMAGES}/"
IMAGE = "image"
Byte = Annotated[int, Field(ge=0, le=255)]


class Drawn(Entry):
    """What was drawn, and its labels. rle: the bytes of `brush_rle`. points and x, y: in percent of the image's sides,
    from its upper left corner."""

    format: str = "rle"
    rle: tuple[Byte, ...] | None = None
    points: tuple[tuple[float, float], ...] | None = None
    x: float | None = None
    y: float | None = None
    brushlabels: tuple[str, ...] = ()
    polygonlabels: tuple[str, ...] = ()
    keypointlabels: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class Result(Entry):
    """One entry of an annotation. A shape that has its labels from a tag of its own makes two of the same id."""

    type: str
    id: str | None = None
    value: Drawn | None = None
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float = 0

    def check(self, expected: Expected, where: str) -> None:
        """Raises UserError when it was drawn in an image of another size, ValueError when in one that was turned."""
        if self.original_height is None or self.original_width is None:
            raise ValueError("no original_width and original_height")
        expected.check_size((self.original_height, self.original_width), where)
        if self.image_rotation:
            raise ValueError(f"the image was turned by {self.image_rotation:g} degrees")


class Annotation(Entry):
    """What one person says of an image. was_cancelled: nothing, the image was skipped."""

    result: tuple[Result, ...]
    was_cancelled: bool | None = None
    ground_truth: bool | None = None
    updated_at: str | None = None


class Task(Entry):
    """An image with all its annotations."""

    data: dict[str, Any]
    annotations: tuple[Annotation, ...]


class Export(Entry):
    """All tasks."""

    tasks: tuple[Task, ...]


def write_project(
    folder: Path, tasks: Sequence[dict[str, Any]], labels: Mapping[int, str], tags: Mapping[str, str]
) -> None:
    """The tasks, and the interface: an image, and by each tag, which has a name, all labels in the colour of their
    number."""
    write_atomically(folder / TASKS, json.dumps(tasks).encode())
    view, colours = ElementTree.Element("View"), palette(len(labels) + 1)
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    for tag, name in tags.items():
        group = ElementTree.SubElement(view, tag, name=name, toName=IMAGE)
        for number, label in labels.items():
            ElementTree.SubElement(group, "Label", value=label, background=f"#{bytes(colours[number]).hex()}")
    ElementTree.indent(view)
    write_atomically(folder / INTERFACE, ElementTree.tostring(view, encoding="utf-8"))


def task_of(name: str, result: list[dict[str, Any]] | None, images: str) -> dict[str, Any]:
    """The task of an image, with a prediction unless it is None. images: what comes before the name of the file."""
    predictions = [] if result is None else [{"model_version": "handful", "result": result}]
    return {"data": {IMAGE: f"{images}{quote(name)}.png"}, "predictions": predictions}


def result_of(number: int, name: str, size: Size, value: dict[str, Any]) -> dict[str, Any]:
    """One entry of a prediction, which the tag of this name has drawn. number: tells it from the others."""
    return {
        "id": f"{name}-{number}",
        "type": f"{name}labels",
        "from_name": name,
        "to_name": IMAGE,
        "original_width": size[1],
        "original_height": size[0],
        "image_rotation": 0,
        "value": value,
    }


def annotations_of(expected: Expected) -> Iterator[tuple[str, Annotation]]:
    """The name of each image that someone annotated, with the annotation that counts: the one marked as ground truth,
    or else the one changed last.

    Raises UserError when the file is no export of tasks as JSON, or for an image that is not known.
    """
    path, content = expected.path, read_export(expected.path)
    if not isinstance(content, list) or not all(isinstance(one, dict) and "annotations" in one for one in content):
        raise UserError(f"{path}: no tasks with annotations; export the project of Label Studio as JSON (not JSON-MIN)")
    for number, task in enumerate(parse(Export, {"tasks": content}, path, "").tasks):
        given = [annotation for annotation in task.annotations if not annotation.was_cancelled]
        if given:
            chosen = sorted(given, key=lambda one: (bool(one.ground_truth), one.updated_at or ""))[-1]
            yield _name(task, number, expected), chosen


def _name(task: Task, number: int, expected: Expected) -> str:
    """Of the image, which the tool serves from a folder (?d=...), from its uploads, or from elsewhere."""
    address = task.data.get(IMAGE)
    if not isinstance(address, str):
        raise UserError(f"{expected.path}: tasks.{number}.data: no {IMAGE}; keep that key in the tasks")
    parts = urlsplit(address)
    file = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    return expected.name_of(file, uploaded="/upload/" in parts.path)
