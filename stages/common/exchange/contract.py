"""What all formats share: the images that go out to be annotated, and what a file that comes back must fit."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from stages.common.encoding import encode_png
from stages.common.errors import UserError
from stages.common.json_files import read_json
from stages.common.paths import write_atomically
from stages.common.safe_xml import parse_xml
from stages.common.spec import IGNORE

Size = tuple[int, int]
Region = tuple[int, np.ndarray]
IMAGES = "images"
NAME_IT, AGAIN = "name the file that the tool exported", "export it again"
BACKGROUND_LABEL, IGNORE_LABEL = "background", "ignore"
UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the name of every file that it is given


@dataclass(frozen=True)
class Annotated:
    """An image to be annotated.

    name: of its file, without suffix. size: (height, width). mask: (H, W) uint8 class ids to start from, 0 =
    background, 255 = ignore, or None.
    """

    name: str
    size: Size
    mask: np.ndarray | None = None


def labels_of(classes: Sequence[str]) -> dict[int, str]:
    """What pixels are labelled with, by id: every class but the background, and `ignore` for those that count
    neither way, unless a class is called that."""
    labels = dict(enumerate(classes))
    labels.pop(0, None)
    return labels if IGNORE_LABEL in classes else labels | {IGNORE: IGNORE_LABEL}


def regions_of(item: Annotated, classes: Sequence[str]) -> list[Region]:
    """(class id, (H, W) bool) of each label that the mask has pixels of; none without a mask.

    Raises ValueError for a mask of another size or with an id that has no label.
    """
    if item.mask is None:
        return []
    labels, ids = labels_of(classes), np.setdiff1d(item.mask, [0]).tolist()
    if item.mask.shape != tuple(item.size) or not set(ids) <= set(labels):
        raise ValueError(f"{item.name}: a mask of {item.mask.shape} with ids {ids} for {item.size} and {labels}")
    return [(number, item.mask == number) for number in ids]


def write_images(folder: Path, images: Mapping[str, np.ndarray]) -> None:
    """(H, W, C) uint8 by name to `images/<name>.png` of a folder, where the files of all formats look for them."""
    for name, image in images.items():
        write_atomically(folder / IMAGES / f"{name}.png", encode_png(image))


@dataclass(frozen=True)
class Expected:
    """What annotations must fit. path: what they are read from. size: (height, width) of every image. names: of the
    images that they may be of, None for any."""

    path: Path
    size: Size
    classes: Sequence[str]
    names: Collection[str] | None = None

    def class_id(self, label: str, where: str) -> int:
        """Of a label by its name. Raises UserError when no class is called that."""
        named = {name: number for number, name in enumerate(self.classes)}
        ids = {BACKGROUND_LABEL: 0, IGNORE_LABEL: IGNORE} | named
        if label not in ids:
            known = ", ".join(labels_of(self.classes).values())
            raise UserError(f"{self.path}: {where}: no class is called {label}; rename it to one of {known}")
        return ids[label]

    def name_of(self, file: str, uploaded: bool = False) -> str:
        """Name of the image in a file, whose path may be of any system. uploaded: the tool has put a prefix before it.

        Raises UserError when no image is called that.
        """
        name = Path(file.replace("\\", "/")).stem
        bare = UPLOADED.sub("", name)
        if uploaded or (self.names is not None and name not in self.names and bare in self.names):
            name = bare
        if self.names is not None and name not in self.names:
            raise UserError(f"{self.path}: {name}: no image is called that; remove it, or read it with its own images")
        return name

    def check_size(self, size: Size, where: str) -> None:
        """Raises UserError for another (height, width) than the images have."""
        if tuple(size) != tuple(self.size):
            raise UserError(
                f"{self.path}: {where}: annotated at {size[0]} x {size[1]} pixels (height x width), but its image has "
                f"{self.size[0]} x {self.size[1]}; annotate the image that was written"
            )

    @contextmanager
    def within(self, where: str) -> Iterator[None]:
        """Makes a ValueError of the block a UserError that says where."""
        try:
            yield
        except ValueError as error:
            raise UserError(f"{self.path}: {where}: {error}; correct it in the tool and export it again") from error


def masks_of(expected: Expected, images: Iterable[tuple[str, Iterable[Region]]]) -> dict[str, np.ndarray]:
    """A mask an image, by name, of its regions: (class id, (H, W) bool) each, later ones over earlier ones.

    Raises UserError when an image comes twice, and when none of its regions has a pixel: they lie outside of it.
    """
    masks: dict[str, np.ndarray] = {}
    for name, regions in images:
        if name in masks:
            raise UserError(f"{expected.path}: {name}: annotated twice; remove one of them")
        masks[name], sizes = np.zeros(expected.size, np.uint8), list[int]()
        for class_id, region in regions:
            masks[name][region] = class_id
            sizes.append(int(region.sum()))
        if sizes and not any(sizes):
            raise UserError(
                f"{expected.path}: {name}: none of its {len(sizes)} shapes covers a pixel of the image; draw them on "
                "it, or remove them"
            )
    return masks


def say_left_out(path: Path, why: str, count: int) -> None:
    """Print how many images that a file lists are not taken for annotated, when there are any."""
    if count:
        print(f"{path.name}: images left out, for {why}: {count}", flush=True)


def read_export(path: Path) -> Any:
    """What a JSON file holds. Raises UserError when it is missing or damaged."""
    return read_json(path, missing=NAME_IT, damaged=AGAIN)


def read_xml(path: Path) -> ElementTree.Element:
    """The root element of an XML file. Raises UserError when it is missing, damaged or declares a document type."""
    try:
        return parse_xml(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {NAME_IT}") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid XML ({error}); {AGAIN}") from error
