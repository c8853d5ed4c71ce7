"""Files to pixels, with one sentence for everything that can be wrong with them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from stages.common.encoding import open_picture
from stages.common.errors import UserError
from stages.common.masks import class_ids
from stages.common.spec import DatasetSpec
from stages.prepare.records import BadFileError, Pixels

SUFFIXES = (".png", ".jpg", ".jpeg")
WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def image_files(folder: Path) -> list[Path]:
    """The images of a folder by name. Raises UserError when there are none, or two of the same name."""
    images = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not images:
        found = "no .png or .jpg images" if folder.is_dir() else "no folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {found}; put your images there")
    stems: dict[str, Path] = {}
    for path in images:
        if path.stem in stems:
            raise UserError(f"{path}: {stems[path.stem].name} has the same name; rename one of them")
        stems[path.stem] = path
    return images


def open_image(path: Path) -> Image.Image:
    """The whole file, decoded. Raises BadFileError when it is cut off or no image."""
    try:
        return open_picture(path)
    except ValueError as error:
        raise BadFileError(str(path), f"not a readable image ({error}); replace or remove the file") from error


def read_image(path: Path, spec: DatasetSpec, any_size: bool) -> np.ndarray:
    """(H, W, C) uint8 in the colours of the spec, upright as its EXIF note says.

    Raises BadFileError when it is unreadable, has more than 8 bits a channel, or (unless any_size) another size than
    the spec.
    """
    opened = open_image(path)
    if opened.mode in WIDE_MODES:
        raise BadFileError(str(path), f"more than 8 bits a channel (mode {opened.mode}); save it with 8")
    pixels = np.asarray(ImageOps.exif_transpose(opened).convert("RGB" if spec.channels == 3 else "L"))
    height, width = spec.size
    if not any_size and pixels.shape[:2] != spec.size:
        found = f"{pixels.shape[0]} x {pixels.shape[1]} pixels (height x width)"
        raise BadFileError(
            str(path), f"{found}, but dataset.yaml says {height} x {width}; correct it or set prepare.resize"
        )
    return pixels.reshape(*pixels.shape[:2], spec.channels)


def open_label(path: Path, lacking: str) -> Image.Image:
    """The whole file of a label, decoded. Raises UserError when it is missing, as `lacking` says, or unreadable."""
    if not path.is_file():
        raise UserError(f"{path}: {lacking}")
    try:
        return open_image(path)
    except BadFileError as error:
        raise UserError(str(error)) from error


def read_ids(path: Path, lacking: str) -> np.ndarray:
    """(H, W) ids of a mask as they are. Raises UserError as `open_label`, and for more channels than one."""
    ids = np.asarray(open_label(path, lacking))
    if ids.ndim != 2:
        raise UserError(f"{path}: {ids.shape[2]} channels, but a mask has one, holding class ids")
    return ids


def refuse_other_shape(path: Path, shape: tuple[int, ...], size: tuple[int, int], what: str) -> None:
    """Raises UserError when a map in a file is not of the (height, width) of its image; `what` it is a map of."""
    if shape != size:
        raise UserError(f"{path}: the {what} is {shape[0]} x {shape[1]} pixels, but its image is {size[0]} x {size[1]}")


def read_mask(path: Path, size: tuple[int, int], classes: int) -> np.ndarray:
    """(H, W) uint8 class ids of an image of this size.

    Raises UserError when the file is missing, unreadable, no map of class ids, of another size, or out of range.
    """
    ids = np.asarray(open_label(path, "no such mask; every labelled image needs one of the same name"))
    return class_ids(ids, path, size, classes)


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels at (height, width): image and alpha by Lanczos, which averages when it shrinks, mask and depth by nearest
    pixel, keypoints and boxes moved along; a gaze and a class stay."""
    height, width = size
    rows, columns = pixels.image.shape[:2]
    scale = np.array([width / columns, height / rows])
    keypoints = pixels.keypoints
    if keypoints is not None:
        keypoints = np.column_stack([(keypoints[:, :2] + 0.5) * scale - 0.5, keypoints[:, 2]]).astype(np.float32)
    boxes, ignored = (
        None if rows is None else (rows * [*scale, *scale, 1]).astype(np.float32)
        for rows in (pixels.boxes, pixels.ignored)
    )
    image, alpha = _lanczos(pixels.image, pixels.alpha, size)
    return pixels._replace(
        image=image,
        mask=_nearest(pixels.mask, size),
        depth=_nearest(pixels.depth, size),
        keypoints=keypoints,
        alpha=alpha,
        boxes=boxes,
        ignored=ignored,
    )


def _lanczos(
    image: np.ndarray, alpha: np.ndarray | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Both at (height, width). With an alpha, Pillow weighs the colours with it, so hidden ones do not shine in."""
    bands = image if alpha is None else np.dstack([image, alpha])
    flat = bands[:, :, 0] if bands.shape[2] == 1 else bands
    found = np.asarray(Image.fromarray(flat).resize(size[::-1], Image.Resampling.LANCZOS))
    found = found.reshape(*size, bands.shape[2])
    return (found, None) if alpha is None else (found[:, :, :-1], found[:, :, -1])


def _nearest(values: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    if values is None:
        return None
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.NEAREST))
