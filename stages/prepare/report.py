"""What `prepare` says about its sets: numbers, the list of copies, a picture, a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.common.pictures import enlarged, grid, with_labels
from stages.common.spec import DatasetSpec
from stages.prepare.duplicates import Copies, Copy
from stages.prepare.records import SPLITS, Pixels
from stages.prepare.scan import Scan

COLUMNS = 10
PICTURED = 50
TILE = 64  # pixels of the longer side of a pictured image, at least
UNUSED = "left out"
LEARNT = ("labeled", "full", "oracle", "unlabeled")  # sets to learn from
CHECK = 4  # pixels of a square of the checkerboard
CHECK_GREYS = (100, 150)


def duplicates_table(scan: Scan, copies: Copies, splits: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row a pair of copies: kind, rms, both files with the set that each is in now, and whether the pair parted them.

    A pair of images to learn from in two sets, such as a labelled and an unlabelled one, is left out: both may show the
    same.
    """
    names = np.full(len(scan.records), UNUSED, dtype=object)
    for split in reversed(SPLITS):
        names[splits[split]] = split
    first, second = copies.pairs.T
    held_out = np.isin(names, ("test", "val"))
    parted = (held_out[first] & (names[second] == UNUSED)) | (held_out[second] & (names[first] == UNUSED))
    files = np.array([record.file for record in scan.records], dtype=object)
    table = pd.DataFrame(
        {
            "kind": np.where(copies.exact, "exact", "near"),
            "rms": copies.rms.round(5),
            "first": files[first],
            "first_set": names[first],
            "second": files[second],
            "second_set": names[second],
            "action": np.where(parted, "removed", "kept"),
        }
    )
    allowed = (table[["first_set", "second_set"]].isin(LEARNT)).all(axis=1)
    return table[~allowed | (table["first_set"] == table["second_set"])].reset_index(drop=True)


def with_backgrounds(table: pd.DataFrame, copies: Sequence[Copy]) -> pd.DataFrame:
    """The table of `duplicates_table` and behind it the background files that were left out, each as a whole."""
    if not copies:
        return table
    found = pd.DataFrame(
        {
            "kind": ["exact" if copy.exact else "near" for copy in copies],
            "rms": [round(copy.rms, 5) for copy in copies],
            "first": [copy.file for copy in copies],
            "first_set": UNUSED,
            "second": [copy.image for copy in copies],
            "second_set": [copy.set for copy in copies],
            "action": "whole file removed",
        }
    )
    return pd.concat([table, found], ignore_index=True) if len(table) else found


def print_copies(copies: Sequence[Copy]) -> None:
    """How many files were left out as backgrounds, if any."""
    if files := len({copy.file for copy in copies}):
        print(
            f"note: {files} background file{' shows' if files == 1 else 's show'} copies of test or val images; such a "
            "file is left out as a whole, with all its parts; see duplicates.csv"
        )


def metrics_of(scan: Scan, duplicates: pd.DataFrame, splits: dict[str, np.ndarray]) -> dict[str, float]:
    """Counts by name."""
    used = np.unique(np.concatenate(list(splits.values())))
    return {
        **{f"prepare/{split}": float(len(splits[split])) for split in SPLITS},
        **{f"prepare/duplicates_{kind}": float((duplicates["kind"] == kind).sum()) for kind in ("exact", "near")},
        "prepare/left_out": float(len(scan.records) - len(used)),
        "prepare/bad_files": float(len(scan.bad)),
    }


def labelled_picture(found: Sequence[Pixels], classes: int) -> np.ndarray:
    """(H, W, 3): rows of ten images, each row over the same images with their labels, where a picture can show them."""
    names = ("image", "mask", "keypoints", "gaze", "depth")
    images, masks, keypoints, gaze, depth = (_stacked(found, name) for name in names)
    assert images is not None
    if all(label is None for label in (masks, keypoints, gaze, depth, found[0].boxes, found[0].class_id)):
        return plain_picture(found)
    boxes = [pixels.boxes for pixels in found if pixels.boxes is not None]
    class_ids = [pixels.class_id for pixels in found if pixels.class_id is not None]
    plain = enlarged(images, TILE)
    labelled = with_labels(
        images, masks, keypoints, gaze, classes, TILE, boxes or None, np.array(class_ids) if class_ids else None, depth
    )
    columns = min(COLUMNS, len(found))
    blank = np.full_like(plain[:1], 255)
    rows = []
    for start in range(0, len(found), columns):
        for pictures in (plain, labelled):
            row = pictures[start : start + columns]
            rows += [row, *[blank] * (columns - len(row))]
    return grid(np.concatenate(rows), columns=columns)


def plain_picture(found: Sequence[Pixels]) -> np.ndarray:
    """(H, W, 3): rows of ten images without labels, cut-outs over a checkerboard."""
    images = np.stack([pixels.image if pixels.alpha is None else over_checkerboard(pixels) for pixels in found])
    return grid(enlarged(images, TILE), columns=min(COLUMNS, len(found)))


def over_checkerboard(pixels: Pixels) -> np.ndarray:
    """(H, W, C): a cut-out over light and dark squares, that show where it is not opaque."""
    assert pixels.alpha is not None
    rows, columns = np.indices(pixels.alpha.shape) // CHECK
    board = np.where((rows + columns) % 2, *CHECK_GREYS)[:, :, None]
    opacity = pixels.alpha[:, :, None] / 255
    return np.round(pixels.image * opacity + board * (1 - opacity)).astype(np.uint8)


def _stacked(found: Sequence[Pixels], name: str) -> np.ndarray | None:
    parts = [getattr(pixels, name) for pixels in found]
    return None if any(part is None for part in parts) else np.stack(parts)


def print_counts(spec: DatasetSpec, splits: dict[str, np.ndarray], shows: np.ndarray) -> None:
    """A table on the terminal: images in each set, and how many of them show each class."""
    from rich.console import Console
    from rich.table import Table

    height, width = spec.size
    table = Table(title=f"{spec.name}: {height} x {width} x {spec.channels}")
    table.add_column("images")
    shown = [split for split in SPLITS if split not in ("oracle", "full") or len(splits[split])]
    for split in shown:
        table.add_column(split, justify="right")
    table.add_row("all", *(str(len(splits[split])) for split in shown), end_section=True)
    counts = {split: shows[splits[split]].sum(0) for split in shown if split != "unlabeled"}
    for label in spec.foreground:
        table.add_row(spec.classes[label], *(str(counts[split][label]) if split in counts else "" for split in shown))
    Console().print(table)
