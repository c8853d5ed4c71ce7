"""affNIST's own .mat files.

Each holds a struct `affNISTdata` with `image`, (1600, N) uint8, a column an image of 40 x 40 row by row, and
`label_int`, (1, N) digits. `<part>.mat`, or `<part>_batches/1.mat` and so on, with part training, validation and test,
are the moved digits; those under `just_centered/` are in the middle of the frame.
"""

from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.prepare.records import Pixels, Record
from stages.prepare.sources.digit_piles import DigitPile
from stages.prepare.sources.matfile import field, read_mat

SIDE = 40
EDGE = 6
STRUCT = "affNISTdata"
PARTS = {"val": "validation", "test": "test", "simulated": "training"}
CENTRED = "just_centered"


def affnist_files(folder: Path | None) -> dict[str, list[Path]]:
    """The files of each part that is there, and of `just_centered`; nothing where there are none.

    Raises UserError when some of them are there but not those to learn from or to test on.
    """
    if folder is None or not any(folder.rglob("*.mat")):
        return {}
    homes = (folder / "transformed", folder)
    found = {part: files for part in PARTS.values() if (files := _first(homes, part))}
    home = (folder / CENTRED,)
    centred = _first(home, "training") or _first(home, "training_and_validation")
    for name, there in ((f"{CENTRED}/training.mat", centred), ("test.mat", found.get("test"))):
        if not there:
            raise UserError(f"{folder / name}: no such file, nor batches of it; put affNIST's own files there")
    return found | {CENTRED: centred}


def _first(homes: tuple[Path, ...], part: str) -> list[Path]:
    for home in homes:
        batches = sorted((home / f"{part}_batches").glob("*.mat"), key=lambda path: (len(path.stem), path.stem))
        single = home / f"{part}.mat"
        if batches or single.is_file():
            return batches or [single]
    return []


def read_digits(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 40, 40) uint8 images and (N,) digits of one file. Raises UserError when it holds something else."""
    struct = read_mat(path, STRUCT)
    images = field(struct, ["image"], path, STRUCT)
    digits = field(struct, ["label_int"], path, STRUCT).ravel()
    if images.ndim != 2 or images.shape[0] != SIDE**2 or images.dtype != np.uint8:
        raise UserError(
            f"{path}: image is {images.shape} {images.dtype}, not (1600, N) uint8; put affNIST's own file there"
        )
    if len(digits) != images.shape[1] or not np.isin(digits, range(10)).all():
        raise UserError(
            f"{path}: label_int is not a digit for each of {images.shape[1]} images; put affNIST's own file there"
        )
    return images.T.reshape(-1, SIDE, SIDE), digits.astype(int)


def centred_digits(files: dict[str, list[Path]]) -> DigitPile:
    """The digits to learn from, without the edge that centring gave them; of training and validation together the first
    five sixths."""
    pairs = [read_digits(path) for path in files[CENTRED]]
    images, digits = (np.concatenate([pair[part] for pair in pairs]) for part in (0, 1))
    if files[CENTRED][0].stem == "training_and_validation":
        images, digits = images[: len(images) * 5 // 6], digits[: len(digits) * 5 // 6]
    names = [f"train-{number:05d}" for number in range(len(images))]
    return DigitPile(images[:, EDGE:-EDGE, EDGE:-EDGE], digits, names)


def file_records(files: dict[str, list[Path]], pool: str, count: int) -> list[Record]:
    """`count` records of a part, from all over its files. Raises UserError when there are fewer."""
    paths = files.get(PARTS[pool], [])
    if count and not paths:
        raise UserError(
            f"prepare.{pool}: {count} asked for, but there is no {PARTS[pool]}.mat; set it to 0, or add the file"
        )
    records: list[Record] = []
    for number, path in enumerate(paths):
        records += _spread(path, pool, count * (number + 1) // len(paths) - count * number // len(paths))
    return records


def _spread(path: Path, pool: str, count: int) -> list[Record]:
    images, digits = read_digits(path)
    if count > len(images):
        raise UserError(f"{path}: {len(images)} images, but prepare.{pool} takes {count} of it; lower it")
    rows = [number * len(images) // count for number in range(count)]
    # A copy, or each record would keep the whole file in memory.
    return [_record(f"{path.stem}-{row:06d}", pool, images[row].copy(), int(digits[row])) for row in rows]


def _record(name: str, pool: str, image: np.ndarray, digit: int) -> Record:
    name = f"{pool}-{name}"
    return Record(name, pool, f"{pool}/{name}", name, partial(_read, image, digit))


def _read(image: np.ndarray, digit: int) -> Pixels:
    return Pixels(image[:, :, None], class_id=digit + 1)
