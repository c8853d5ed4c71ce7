"""One look at every image: what splitting, duplicate search and checks need to know, without keeping the pixels."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stages.common.errors import UserError
from stages.common.progress import tracked
from stages.common.spec import IGNORE, DatasetSpec
from stages.prepare.cropping import inside
from stages.prepare.records import BadFileError, Pixels, Record, Source

THUMBNAIL = 16
CONSTANT = "all pixels are the same"


@dataclass(frozen=True)
class Facts:
    """What is kept of one image.

    row: columns of the table. digest: of size and pixels. thumbnail: (16 * 16 * C,) uint8 block means.
    shows: (K,) bool, whether the mask, the boxes or the image itself hold each class.
    """

    row: dict[str, Any]
    digest: str
    thumbnail: np.ndarray
    shows: np.ndarray


@dataclass(frozen=True)
class Scan:
    """The readable images of a source, row by row.

    table: columns height, width, channels, mean, std (both in [0, 1]), labeled_share and unknown_pixels (NaN without a
    mask), keypoints_inside (share of the known ones, NaN without any). digests: N strings. thumbnails: (N, D) uint8.
    shows: (N, K) bool. bad: (file, reason) of those left out.
    """

    records: list[Record]
    table: pd.DataFrame
    digests: list[str]
    thumbnails: np.ndarray
    shows: np.ndarray
    bad: list[tuple[str, str]]


def scan(source: Source, quarantine: bool) -> Scan:
    """Read every image once. With `quarantine`, bad files are left out and listed.

    Raises UserError for the first bad file otherwise, and always for what is wrong with a mask: a wrong label says
    that the labels as a whole were made differently, which leaving one out would hide.
    """
    kept: list[Record] = []
    facts: list[Facts] = []
    bad: list[tuple[str, str]] = []
    found = _looks(source)
    for record, result in zip(source.records, tracked(found, "look", len(source.records), "image"), strict=True):
        if isinstance(result, BadFileError) and not quarantine:
            raise result
        if isinstance(result, BadFileError):
            bad.append((result.file, result.reason))
        elif quarantine and result.row["std"] == 0:
            bad.append((record.file, CONSTANT))
        else:
            kept.append(record)
            facts.append(result)
    return Scan(
        records=kept,
        table=pd.DataFrame([f.row for f in facts]),
        digests=[f.digest for f in facts],
        thumbnails=np.stack([f.thumbnail for f in facts]) if facts else np.zeros((0, 1), np.uint8),
        shows=np.stack([f.shows for f in facts]) if facts else np.zeros((0, len(source.spec.strata)), bool),
        bad=bad,
    )


def refuse_constant(drawn: Scan) -> None:
    """Raises UserError for the first image that shows nothing."""
    for record, deviation in zip(drawn.records, drawn.table.get("std", []), strict=True):
        if deviation == 0:
            raise UserError(f"{record.file}: {CONSTANT}; remove it, or set prepare.bad_files to quarantine")


def _looks(source: Source) -> Iterator[Facts | BadFileError]:
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield from pool.map(lambda record: _look(record, source.spec), source.records)
    finally:
        pool.shutdown(cancel_futures=True)


def _look(record: Record, spec: DatasetSpec) -> Facts | BadFileError:
    try:
        return facts_of(record.read(), spec)
    except BadFileError as error:
        return error


def facts_of(pixels: Pixels, spec: DatasetSpec) -> Facts:
    """The facts of one image."""
    image, mask = pixels.image, pixels.mask
    height, width, channels = image.shape
    counts = np.zeros(256, int) if mask is None else np.bincount(mask.ravel(), minlength=256)
    unknown = counts.sum() - counts[: len(spec.classes)].sum() - counts[IGNORE]
    row = {
        "height": height,
        "width": width,
        "channels": channels,
        "mean": float(image.mean()) / 255,
        "std": float(image.std()) / 255,
        "labeled_share": counts[1:IGNORE].sum() / mask.size if mask is not None else np.nan,
        "unknown_pixels": float(unknown) if mask is not None else np.nan,
        "keypoints_inside": share_inside(pixels.keypoints, (height, width)),
    }
    return Facts(
        row, digest_of(image), thumbnail(image), (counts[: len(spec.strata)] > 0) | named_classes(pixels, spec)
    )


def share_inside(keypoints: np.ndarray | None, size: tuple[int, int]) -> float:
    """Share of the known ones of (K, 3) keypoints that lie on the image of `size` (height, width); NaN without any."""
    known = np.zeros((0, 3)) if keypoints is None else keypoints[keypoints[:, 2] > 0]
    return float(inside(known, size).mean()) if len(known) else np.nan


def named_classes(pixels: Pixels, spec: DatasetSpec) -> np.ndarray:
    """(K,) bool: the classes of the boxes and of the image as a whole."""
    ids = [] if pixels.boxes is None else pixels.boxes[:, 4].tolist()
    return np.isin(np.arange(len(spec.strata)), [*ids, *([] if pixels.class_id is None else [pixels.class_id])])


def digest_of(image: np.ndarray) -> str:
    """The same for images of the same size and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def thumbnail(image: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 to (16 * 16 * C,) uint8: the mean of each of 16 x 16 blocks, so that noise and compression,
    which live in the high frequencies, hardly count."""
    flat = image[:, :, 0] if image.shape[2] == 1 else image
    return np.asarray(Image.fromarray(flat).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)).reshape(-1)
