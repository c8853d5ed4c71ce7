"""VOC's Annotations: what an image shows, as XML."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from stages.common.errors import UserError
from stages.common.safe_xml import parse_xml

EDGES = ("xmin", "ymin", "xmax", "ymax")


class Object(NamedTuple):
    """One object; the edges in pixels counted from 1, all within it."""

    name: str
    difficult: bool
    xmin: float
    ymin: float
    xmax: float
    ymax: float


def read_objects(path: Path) -> list[Object]:
    """All objects of an image. Raises UserError when the file is missing, damaged or declares a document type."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; every image needs its annotation")
    try:
        return [_object(one) for one in parse_xml(path.read_bytes()).iter("object")]
    except ValueError as error:
        raise UserError(f"{path}: no annotation of VOC ({error}); put its own file there") from error


def _object(found: ElementTree.Element) -> Object:
    name, box = found.findtext("name"), found.find("bndbox")
    if name is None or box is None:
        raise ValueError("an object without name or bndbox")
    xmin, ymin, xmax, ymax = (float(box.findtext(edge) or "nan") for edge in EDGES)
    if not (xmin <= xmax and ymin <= ymax):
        raise ValueError(f"the box of {name} is {xmin}, {ymin}, {xmax}, {ymax}")
    return Object(name.strip(), found.findtext("difficult", "0").strip() == "1", xmin, ymin, xmax, ymax)
