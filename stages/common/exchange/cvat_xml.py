"""CVAT's files: the XML of `CVAT for images 1.1`, and the labels that the constructor of a task takes."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from stages.common.errors import UserError
from stages.common.exchange.contract import Expected, Size, read_xml, say_left_out
from stages.common.paths import write_atomically
from stages.common.pictures import palette

ANNOTATIONS, LABELS = "annotations.xml", "cvat_labels.json"
GUESS = "auto"  # source of a shape; the tool makes it semi-auto once a person changes the shape
CHECKED, EMPTY = "checked", "empty"  # tags of an image whose shapes are right as they are, and that has to have none
TAG_COLOUR = "#404040"

Shape = tuple[str, dict[str, str]]


def write_task(
    folder: Path,
    images: Sequence[tuple[str, Size, Sequence[Shape]]],
    labels: Mapping[int, str],
    kind: str,
    offered: Sequence[str],
) -> None:
    """The annotations to upload to a task, and its labels in the colour of their number, to paste into the raw
    constructor, with the tags that an image can have.

    images: name, size and shapes, each a tag with its attributes; they are numbered by name, as the tool sorts them.
    kind: of the shapes that a label may have, as the tool calls it. offered: the tags, but for those that a label is
    called.
    """
    tags = [tag for tag in offered if tag not in labels.values()]
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    _add_meta(root, len(images), [*labels.values(), *tags])
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
    described += [{"name": tag, "color": TAG_COLOUR, "type": "tag", "attributes": []} for tag in tags]
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


def annotated_images(expected: Expected, tags: Collection[str]) -> list[tuple[str, list[ElementTree.Element]]]:
    """The name of each image that a person annotated, with its shapes of these tags: an image where one of them is no
    untouched guess, or that is tagged as checked or empty. The tool lists all images; how many are
    left out is printed.

    Raises UserError when the file is no such XML, for an image that is not known or of another size, and for one with
    shapes that is tagged as empty.
    """
    root = read_xml(expected.path)
    if root.tag != "annotations" or root.find("track") is not None:
        raise UserError(f"{expected.path}: no annotations of images; export the task of CVAT as `CVAT for images 1.1`")
    found, bare, untouched = list[tuple[str, list[ElementTree.Element]]](), 0, 0
    for number, image in enumerate(root.iter("image")):
        shapes, said = [shape for shape in image if shape.tag in tags], _tags_of(image, expected)
        if not shapes and not said & {CHECKED, EMPTY}:
            bare += 1
            continue
        with expected.within(f"image {number}"):
            name = expected.name_of(text_of(image, "name"))
            size = (whole_of(image, "height"), whole_of(image, "width"))
        expected.check_size(size, name)
        if shapes and EMPTY in said:
            raise UserError(f"{expected.path}: {name}: is tagged {EMPTY}, but has shapes; remove the tag, or them")
        if said & {CHECKED, EMPTY} or any(_touched(shape, tags) for shape in shapes):
            found.append((name, shapes))
        else:
            untouched += 1
    say_left_out(expected.path, "nobody changed their guesses", untouched)
    say_left_out(expected.path, "they have neither shapes nor a tag that says so", bare)
    return found


def _tags_of(image: ElementTree.Element, expected: Expected) -> set[str | None]:
    """Of the whole image; a class of the same name is none."""
    return {tag.get("label") for tag in image.findall("tag")} - set(expected.classes)


def _touched(shape: ElementTree.Element, tags: Collection[str]) -> bool:
    """Whether a person drew or changed the shape, or a point of the skeleton that it is."""
    own = shape.get("source", "manual")
    return any(part.get("source", own) != GUESS for part in shape.iter() if part.tag in tags)


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
