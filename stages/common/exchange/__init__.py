"""Masks and keypoints to annotation tools and back: Label Studio, CVAT, COCO, and masks as PNG files.

Each format is a module with `write` and `read`; `FORMATS` has those of masks by name, `POINT_FORMATS` those of
keypoints, and `read` and `read_points` find out which it is.
"""

import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from stages.common.errors import UserError
from stages.common.exchange import (
    coco,
    coco_points,
    cvat,
    cvat_points,
    label_studio,
    label_studio_points,
    voc_masks,
)
from stages.common.exchange.contract import Annotated, Size, read_export, say_left_out, write_images
from stages.common.exchange.cvat_xml import LABELS
from stages.common.exchange.label_studio_tasks import INTERFACE
from stages.common.exchange.points import Pointed
from stages.common.exchange.voc_masks import MASKS

__all__ = ["FORMATS", "POINT_FORMATS", "Annotated", "Pointed", "format_of", "read", "read_points", "write_images"]


class Format(Protocol):
    """What the module of a format of masks offers."""

    def write(self, folder: Path, items: Sequence[Annotated], classes: Sequence[str]) -> None:
        """Files for the tool, beside `images/` of the folder."""

    def read(
        self, path: Path, size: Size, classes: Sequence[str], names: Collection[str] | None = None
    ) -> dict[str, np.ndarray]:
        """(H, W) uint8 class ids by image name, 0 = background, 255 = ignore; unannotated images are absent.

        size: (height, width) of all images. classes: by id, the background first. names: the images that may be
        annotated, None for any.
        """


class PointFormat(Protocol):
    """What the module of a format of keypoints offers."""

    def write(self, folder: Path, items: Sequence[Pointed], points: Sequence[str]) -> None:
        """Files for the tool, beside `images/` of the folder."""

    def read(
        self, path: Path, size: Size, points: Sequence[str], names: Collection[str] | None = None
    ) -> dict[str, np.ndarray]:
        """(K, 3) float32 keypoints by image name, as in `Pointed`; unannotated images are absent.

        size, names: as for masks. points: their names.
        """


FORMATS: dict[str, Format] = {"label_studio": label_studio, "cvat": cvat, "coco": coco, "voc_masks": voc_masks}
SILENT = ("coco", "voc_masks")  # where nothing tells a guess from what a person drew
POINT_FORMATS: dict[str, PointFormat] = {
    "label_studio": label_studio_points,
    "cvat": cvat_points,
    "coco": coco_points,
}


def read(
    path: Path,
    size: Size,
    classes: Sequence[str],
    names: Collection[str] | None = None,
    guesses: Path | None = None,
) -> dict[str, np.ndarray]:
    """(H, W) uint8 class ids by image name, 0 = background, 255 = ignore, from what a tool exported in any format.

    path: the file, its folder, or the .zip of it as the tool gave it. guesses: the folder that `voc_masks` wrote the
    masks to start from to, if any. Unannotated images are absent; of the formats that do not say what was changed these
    are those whose mask is still the guess, how many is printed.
    Raises UserError when it is none of the formats, or what it holds does not fit the images and classes.
    """
    with _export(path) as file:
        name = format_of(file)
        found = FORMATS[name].read(file, size, classes, names)
        if name not in SILENT or guesses is None or file.resolve() in (guesses.resolve(), (guesses / MASKS).resolve()):
            return found
        return _changed(found, guesses, file, size, classes)


def _changed(
    found: dict[str, np.ndarray], guesses: Path, file: Path, size: Size, classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Those of the masks that differ from the guesses. file: what they are from."""
    if not any((guesses / MASKS).glob("*.png")):
        return found
    given = voc_masks.read(guesses, size, classes)
    changed = {name: mask for name, mask in found.items() if not np.array_equal(mask, given.get(name, ()))}
    say_left_out(file, "their masks are still the guesses", len(found) - len(changed))
    return changed


def read_points(
    path: Path, size: Size, points: Sequence[str], names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """(K, 3) float32 keypoints by image name, as in `Pointed`, of which one at least is known; the rest as for `read`.

    How many images were submitted without a point is printed.
    """
    with _export(path) as file:
        if (name := format_of(file)) not in POINT_FORMATS:
            raise UserError(f"{file}: a folder of masks holds no keypoints; name the file that has them")
        tables = POINT_FORMATS[name].read(file, size, points, names)
        known = {image: table for image, table in tables.items() if table[:, 2].any()}
        say_left_out(file, "none of their points is known", len(tables) - len(known))
        return known


@contextmanager
def _export(path: Path) -> Iterator[Path]:
    """The file or folder with the annotations; what is wrong in an archive is said of the archive."""
    with _unzipped(path) as place:
        try:
            yield _file_in(place)
        except UserError as error:
            raise UserError(str(error).replace(str(place), str(path))) from error


@contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    """The path, or what the archive holds in a temporary folder."""
    if not zipfile.is_zipfile(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{path}: cannot be unpacked ({error}); export it again") from error
        yield Path(folder)


def _file_in(path: Path) -> Path:
    """The file with the annotations when it is in a folder; the folder when it holds masks."""
    if not path.is_dir() or (path / MASKS).is_dir():
        return path
    files = [file for pattern in ("*.xml", "*.json", "annotations/*.json") for file in sorted(path.glob(pattern))]
    files = [file for file in files if file.name not in (INTERFACE, LABELS)]
    if len(files) > 1:
        found = ", ".join(file.name for file in files)
        raise UserError(f"{path}: several files may hold the annotations ({found}); name the one to read")
    return files[0] if files else path


def format_of(path: Path) -> str:
    """Name of the format of a file or a folder of masks. Raises UserError when it is missing or none of them."""
    if path.is_dir():
        return "voc_masks"
    if path.suffix.lower() == ".xml":
        return "cvat"
    if path.suffix.lower() == ".json":
        return "label_studio" if isinstance(read_export(path), list) else "coco"
    if not path.exists():
        raise UserError(f"{path}: no such file; name what the annotation tool exported")
    raise UserError(
        f"{path}: no export that is known; give a .json of Label Studio or COCO, a .xml of CVAT, a folder of masks, or "
        "a .zip of one of them"
    )
