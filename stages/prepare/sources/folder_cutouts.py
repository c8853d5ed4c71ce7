"""foregrounds/ and backgrounds/ of a user's own folder.

Cut-outs are PNG files with an alpha channel. Their class is the name of the sub-folder they lie in, or what
foregrounds/labels.csv (columns file, class) says, or the only foreground class that there is.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import ImageOps

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.compositing_params import BackgroundParams
from stages.prepare.cutouts.canvas import on_canvas, part_of, parts_along, scaled_to_cover
from stages.prepare.params import PrepareParams
from stages.prepare.reading import SUFFIXES, open_image, read_image
from stages.prepare.records import BadFileError, Pixels, Record, Source
from stages.prepare.sources.class_csv import CLASS
from stages.prepare.sources.tables import FILE, NAME, read_table, refuse_unlisted


def foreground_files(folder: Path, spec: DatasetSpec, largest: float) -> list[Record]:
    """A record a cut-out, at the size of the data set. Raises UserError for a class that is missing or unknown."""
    table = read_classes(folder / NAME) if (folder / NAME).is_file() else None
    paths = sorted(path for path in [*folder.glob("*"), *folder.glob("*/*")] if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(f"{folder}: no .png images; put the cut-outs there, each in a folder named after its class")
    return [_foreground(path, folder, class_of(path, folder, table, spec), spec, largest) for path in paths]


def _foreground(path: Path, folder: Path, class_id: int, spec: DatasetSpec, largest: float) -> Record:
    name = path.relative_to(folder).with_suffix("").as_posix()
    read = partial(read_foreground, path, class_id, spec, largest)
    return Record(name, "foregrounds", f"foregrounds/{name}", str(path), read)


def read_classes(path: Path) -> Mapping[str, str]:
    """File name -> class name. Raises UserError as `read_table`, and for a row without a class."""
    table = read_table(path, (CLASS,), "list the classes of the cut-outs there")
    empty = table[CLASS].isna()
    if empty.any():
        raise UserError(f"{path}: {table[FILE][empty].iloc[0]} has no class; write it beside the name")
    return dict(zip(table[FILE], table[CLASS].astype(str), strict=True))


def class_of(path: Path, folder: Path, table: Mapping[str, str] | None, spec: DatasetSpec) -> int:
    """The class id of a cut-out. Raises UserError when nothing says it, or it is no foreground class."""
    names = spec.classes[1:]
    if path.parent != folder:
        name, said_by = path.parent.name, str(path.parent)
    elif table is not None:
        refuse_unlisted(path, table, folder / NAME, "class")
        name, said_by = table[path.name], f"{folder / NAME}: {path.name}"
    elif len(names) == 1:
        return 1
    else:
        raise UserError(f"{path}: nothing says its class; move it to {folder}/<class>/, or list it in {NAME} there")
    if name not in names:
        raise UserError(f"{said_by}: no class {name}; the foreground classes of dataset.yaml are {', '.join(names)}")
    return spec.classes.index(name)


def read_foreground(path: Path, class_id: int, spec: DatasetSpec, largest: float) -> Pixels:
    """One cut-out in the middle of a frame of the data set's size.

    Raises BadFileError when it is unreadable, has no alpha channel, or nothing of it is opaque.
    """
    opened = ImageOps.exif_transpose(open_image(path))
    if "A" not in opened.mode.upper() and "transparency" not in opened.info:
        raise BadFileError(str(path), f"no alpha channel (mode {opened.mode}); save the cut-out as a PNG with one")
    rgba = opened.convert("RGBA")
    alpha = np.asarray(rgba)[:, :, 3]
    if not alpha.any():
        raise BadFileError(str(path), "its alpha channel is empty, so it shows nothing; save the object opaque")
    colours = np.asarray(rgba.convert("RGB").convert("RGB" if spec.channels == 3 else "L"))
    image = colours.reshape(*alpha.shape, spec.channels)
    return on_canvas(Pixels(image, alpha=alpha, class_id=class_id), spec.size, largest)


def background_files(folder: Path, spec: DatasetSpec, wanted: BackgroundParams, seed: int) -> list[Record]:
    """Records of the images in a folder, cropped to the frame: one each from the middle, or many from anywhere."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(f"{folder}: no .png or .jpg images; put the backgrounds there")
    return background_parts(paths, spec, wanted, seed)


def background_parts(paths: list[Path], spec: DatasetSpec, wanted: BackgroundParams, seed: int) -> list[Record]:
    """Records of parts of these images, which take turns."""
    count = len(paths) if wanted.count is None else wanted.count
    if wanted.crop == "middle":
        count = min(count, len(paths))
    records = []
    for number in range(count):
        path = paths[number % len(paths)]
        name = path.stem if count <= len(paths) else f"{path.stem}-{number // len(paths)}"
        read = partial(read_background, path, spec, None if wanted.crop == "middle" else (seed, number))
        parts = partial(background_parts_along, path, spec)
        records.append(Record(name, "backgrounds", f"backgrounds/{path.stem}", str(path), read, parts))
    return records


def read_background(path: Path, spec: DatasetSpec, place: tuple[int, int] | None) -> Pixels:
    """A part of an image at the size of the data set; `place`, seed and number, says which, None the middle.

    Raises BadFileError when it is unreadable or smaller than the frame, and so than what is pasted on it may be.
    """
    random = None if place is None else np.random.default_rng([place[0], *b"backgrounds", place[1]])
    return Pixels(part_of(_covering(path, spec), spec.size, random))


def background_parts_along(path: Path, spec: DatasetSpec) -> list[np.ndarray]:
    """Parts of an image from all over it, at the size of the data set. Raises BadFileError as `read_background`."""
    return parts_along(_covering(path, spec), spec.size)


def _covering(path: Path, spec: DatasetSpec) -> np.ndarray:
    return _read_covering(path, spec, path.stat().st_mtime_ns if path.is_file() else 0)


# The parts of a file are asked for one after the other.
@lru_cache(maxsize=1)
def _read_covering(path: Path, spec: DatasetSpec, changed: int) -> np.ndarray:
    image = read_image(path, spec, any_size=True)
    height, width = spec.size
    if image.shape[0] < height or image.shape[1] < width:
        found = f"{image.shape[0]} x {image.shape[1]} pixels (height x width)"
        raise BadFileError(str(path), f"{found}, smaller than the frame, {height} x {width}; take a larger image")
    return scaled_to_cover(image, spec.size)


def with_cutouts(source: Source, params: PrepareParams, seed: int) -> Source:
    """The source of a folder with its foregrounds/ and backgrounds/, where they are asked for, or there and not
    refused."""
    root, spec = params.path, source.spec
    assert root is not None
    foregrounds, backgrounds = source.foregrounds, source.backgrounds
    if params.backgrounds.path is not None:
        print(f"note: prepare.backgrounds.path is not read for source folder; put the images in {root / 'backgrounds'}")
    if _wanted(params.foregrounds.source, root / "foregrounds"):
        foregrounds = foreground_files(root / "foregrounds", spec, params.foregrounds.largest)
    if _wanted(params.backgrounds.source, root / "backgrounds"):
        backgrounds = background_files(root / "backgrounds", spec, params.backgrounds, seed)
    return replace(source, foregrounds=foregrounds, backgrounds=backgrounds, backdrop="own")


def _wanted(source: str, folder: Path) -> bool:
    return source == "folder" or (source == "auto" and folder.is_dir())
