"""CVAT's files: the XML of `CVAT for images 1.1`, and the labels that the constructor of a task takes."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from stages.common.errors import UserError
from stages.common.exchange.contract import Expected, Size, read_xml
from stages.common.paths import write_atomically
from stages.common.pictures import palette

ANNOTATIONS, LABELS = "annotations.xml", "cvat_labels.json"

Shape = tuple[str, dict[str, str]]


def write_task(
    folder: Path, images: Sequence[tuple[str, Size, Sequence[Shape]]], labels: Mapping[int, str], kind: str
) -> None:
    """The annotations to upload to a task, and its labels in the colour of their number, to paste into the raw
    constructor.

    images: name, size and shapes, each a tag with its attributes; they are numbered by name, as the tool sorts them.
    kind: of the shapes that a label may have, as the tool calls it.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    _add_meta(root, len(images), labels.values())
    for number, (name, (height, width), shapes) in enumerate(sorted(images, key=lambda image: image[0])):
        said = {"id": str(number), "name": f"{name}.png", "width": str(width), "height": str(height)}
        image = ElementTree.SubElement(root, "image", said)
        for tag, attributes in shapes:
            ElementTree.SubElement(image, tag, attributes)
    ElementTree.indent(root)
    write_atomically(folder / ANNOTATIONS, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    colours = palette(len(labels) + 1)
    described = [
        {"name": label, "color": f"#{bytes(colours[number]).hex()}", "type": kind, "attributes": []}
        for number, label in labels.items()
    ]
    write_atomically(folder / LABELS, json.dumps(described, indent=1).encode())


def _add_meta(root: ElementTree.Element, count: int, labels: Collection[str]) -> None:
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "size").text = str(count)
    ElementTree.SubElement(task, "mode").text = "annotation"
    listed = ElementTree.SubElement(task, "labels")
    for name in labels:
        label = ElementTree.SubElement(listed, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "attributes")


def annotated_images(expected: Expected, tags: Collection[str]) -> Iterator[tuple[str, list[ElementTree.Element]]]:
    """The name of each image that has shapes of these tags, with the shapes; the tool lists all images.

    Raises UserError when the file is no such XML, or for an image that is not known or of another size.
    """
    root = read_xml(expected.path)
    if root.tag != "annotations" or root.find("track") is not None:
        raise UserError(f"{expected.path}: no annotations of images; export the task of CVAT as `CVAT for images 1.1`")
    for number, image in enumerate(root.iter("image")):
        shapes = [shape for shape in image if shape.tag in tags]
        if shapes:
            with expected.within(f"image {number}"):
                name = expected.name_of(text_of(image, "name"))
                size = (whole_of(image, "height"), whole_of(image, "width"))
            expected.check_size(size, name)
            yield name, shapes


def text_of(element: ElementTree.Element, key: str) -> str:
    """An attribute. Raises ValueError when it is missing."""
    found = element.get(key)
    if found is None:
        raise ValueError(f"no {key}")
    return found


def whole_of(element: ElementTree.Element, key: str) -> int:
    """A whole number in an attribute. Raises ValueError when it is missing or none."""
    text = text_of(element, key)
    if not text.removeprefix("-").isdecimal():
        raise ValueError(f"{key} {text} is no whole number")
    return int(text)


def points_of(element: ElementTree.Element) -> np.ndarray:
    """(N, 2) x, y of its points, from the image's corner. Raises ValueError when they are missing or no numbers."""
    text = text_of(element, "points")
    try:
        points = np.array([[float(number) for number in point.split(",")] for point in text.split(";")])
    except ValueError:
        points = np.array([[np.nan]])
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError("points that are not x,y;x,y")
    return points
