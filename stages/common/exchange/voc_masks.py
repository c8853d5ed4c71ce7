"""Masks as PNG files: CVAT's `Segmentation mask 1.1` in the layout of VOC, with colours, and plain class ids."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stages.common.encoding import open_picture
from stages.common.errors import UserError
from stages.common.exchange.contract import IGNORE_LABEL, Annotated, Expected, Size, labels_of, regions_of
from stages.common.masks import class_ids
from stages.common.paths import write_atomically
from stages.common.pictures import palette
from stages.common.spec import IGNORE

LABELMAP, MASKS, LIST = "labelmap.txt", "SegmentationClass", "ImageSets/Segmentation/default.txt"
VOID = (224, 224, 192)  # what VOC itself paints the pixels with that count neither way
INDEXED, COLOURED = "L", ("P", "RGB", "RGBA")

Colour = tuple[int, int, int]


def write(folder: Path, items: Sequence[Annotated], classes: Sequence[str]) -> None:
    """Colour-indexed masks under SegmentationClass/, whose indices are class ids, labelmap.txt with the colours, and
    the list of the images that have a mask."""
    colours, masked = palette(len(classes)), [(item, item.mask) for item in items if item.mask is not None]
    labels = {0: classes[0], **labels_of(classes)}
    lines = [f"{label}:{','.join(map(str, colours[number]))}::" for number, label in labels.items()]
    write_atomically(folder / LABELMAP, _lines(["# label:color_rgb:parts:actions", *lines]))
    write_atomically(folder / LIST, _lines([item.name for item, _ in masked]))
    (folder / MASKS).mkdir(parents=True, exist_ok=True)
    for item, mask in masked:
        regions_of(item, classes)
        picture = Image.fromarray(mask)
        picture.putpalette(colours.ravel().tolist())
        picture.save(folder / MASKS / f"{item.name}.png")


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def read(path: Path, size: Size, classes: Sequence[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """(H, W) uint8 masks by image name from a folder.

    With labelmap.txt the colours of SegmentationClass/*.png are named, or in grey masks its lines are numbered, from 0;
    without one the pixels of *.png are class ids, 255 = ignore. Images without a file are absent.
    Raises UserError when there is no mask, and for unknown images, classes or colours, other sizes, unreadable files.
    """
    folder = path / MASKS if (path / MASKS).is_dir() else path
    files = sorted(path.glob("*.png") if folder == path else folder.rglob("*.png"))
    if not files:
        raise UserError(f"{folder}: no .png masks; name the folder that holds them or {MASKS}")
    labelmap = read_labelmap(path / LABELMAP) if (path / LABELMAP).is_file() else None
    expected, masks = Expected(path, size, classes, names), dict[str, np.ndarray]()
    for file in files:
        name = expected.name_of(file.name)
        if name in masks:
            raise UserError(f"{file}: {name}: annotated twice; remove one of them")
        masks[name] = _mask(file, labelmap, expected)
    return masks


def read_labelmap(path: Path) -> dict[Colour, str]:
    """Labels by colour, in the order of the file. Raises UserError when it is no UTF-8, or a line is no label with its
    colour."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        raise UserError(f"{path}: not UTF-8 ({error}); save it as that") from error
    labels: dict[Colour, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        label, _, rest = line.partition(":")
        channels = [channel.strip() for channel in rest.partition(":")[0].split(",")]
        if len(channels) != 3 or not all(channel.isdecimal() and int(channel) < 256 for channel in channels):
            raise UserError(f"{path}: line {number}: {line} is no label:red,green,blue::; correct it")
        red, green, blue = map(int, channels)
        labels[red, green, blue] = label.strip()
    return labels


def _mask(file: Path, labelmap: Mapping[Colour, str] | None, expected: Expected) -> np.ndarray:
    try:
        picture = open_picture(file)
    except ValueError as error:
        raise UserError(f"{file}: not a readable image ({error}); export it again") from error
    if labelmap is None:
        return class_ids(np.asarray(picture), file, expected.size, len(expected.classes))
    expected.check_size((picture.height, picture.width), file.name)
    if picture.mode == INDEXED:
        return _by_index(np.asarray(picture), list(labelmap.values()), file, expected)
    if picture.mode not in COLOURED:
        raise UserError(f"{file}: neither colours nor 8 bits of grey (mode {picture.mode}); export it again")
    return _by_colour(np.asarray(picture.convert("RGB")), labelmap, file, expected)


def _by_index(pixels: np.ndarray, labels: list[str], file: Path, expected: Expected) -> np.ndarray:
    ids = np.full(256, IGNORE, np.uint8)
    for index in np.setdiff1d(pixels, [IGNORE]).tolist():
        if index >= len(labels):
            raise UserError(f"{file}: {index} is no line of {LABELMAP}, which has {len(labels)} labels; correct one")
        ids[index] = expected.class_id(labels[index], file.name)
    return ids[pixels]


def _by_colour(pixels: np.ndarray, labelmap: Mapping[Colour, str], file: Path, expected: Expected) -> np.ndarray:
    known = {VOID: IGNORE_LABEL} | dict(labelmap)
    colours, inverse = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    ids = np.zeros(len(colours), np.uint8)
    for number, (red, green, blue) in enumerate(colours.tolist()):
        if (red, green, blue) not in known:
            raise UserError(f"{file}: the colour {red},{green},{blue} is not in {LABELMAP}; add it with its label")
        ids[number] = expected.class_id(known[red, green, blue], file.name)
    return ids[inverse].reshape(expected.size)
