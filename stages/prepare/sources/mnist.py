"""The official MNIST files in idx format (Y. LeCun, C. Cortes, C. Burges), plain or gzipped."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.prepare.cutouts.objects import cut_ink
from stages.prepare.params import PrepareParams
from stages.prepare.records import Source
from stages.prepare.sources.digits import digit_records, digit_spec

UBYTE = 0x08


def read_source(params: PrepareParams) -> Source:
    """The training digits, labelled, and the t10k digits as `test` when they are there."""
    folder = params.path
    if folder is None or not folder.is_dir():
        found = "not set" if folder is None else f"{folder} is no folder"
        raise UserError(f"prepare.path: {found}; source mnist needs the one with train-images-idx3-ubyte")
    images, digits = read_pair(folder, "train")
    records = digit_records(images, digits, "labeled", "train", params.group_pattern)
    if find(folder, "t10k-images-idx3-ubyte") is not None:
        records += digit_records(*read_pair(folder, "t10k"), "test", "t10k", params.group_pattern)
    return Source(digit_spec("mnist", images), records, cut=cut_ink, backdrop="black")


def find(folder: Path, name: str) -> Path | None:
    """The plain or gzipped file of this name."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def read_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W) images and (N,) digits of one part. Raises UserError when they do not belong together."""
    images = read_idx(folder, f"{part}-images-idx3-ubyte", dimensions=3)
    digits = read_idx(folder, f"{part}-labels-idx1-ubyte", dimensions=1)
    if len(images) != len(digits):
        raise UserError(f"{folder}: {len(images)} {part} images but {len(digits)} labels; the files do not match")
    if len(digits) and digits.max() > 9:
        raise UserError(f"{folder}: {part} labels go up to {digits.max()}, but digits end at 9")
    return images, digits


def read_idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """A uint8 array: two zero bytes, the type, the number of dimensions, each length (big-endian uint32), the values.

    Raises UserError when the file is missing, of another type, or cut off.
    """
    path = find(folder, name)
    if path is None:
        raise UserError(f"{folder / name}: no such file, nor with .gz; put the MNIST idx files there")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({error}); fetch it again") from error
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes([0, 0, UBYTE, dimensions]):
        raise UserError(f"{path}: no idx file of bytes with {dimensions} dimension(s); fetch it again")
    shape = np.frombuffer(data[4:start], ">u4").astype(int)
    if len(data) - start != shape.prod():
        raise UserError(f"{path}: {len(data) - start} values, but its head says {shape.prod()}; fetch it again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
