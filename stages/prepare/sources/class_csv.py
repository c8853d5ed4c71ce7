"""labels.csv beside images/: the class of every image."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.sources.tables import FILE, read_table, refuse_unlisted

CLASS = "class"


def read_classes(path: Path, spec: DatasetSpec) -> Mapping[str, int]:
    """File name -> class id, from 1 on.

    Raises UserError when the table is missing or unreadable, lacks a column, names a file twice, or names a class that
    dataset.yaml does not.
    """
    table = read_table(path, (CLASS,), "dataset.yaml says labels: image, so list their classes there")
    known = {spec.classes[index]: index for index in spec.foreground}
    ids = table[CLASS].map(known)
    if ids.isna().any():
        row = table[ids.isna()].iloc[0]
        said = "has no class" if pd.isna(row[CLASS]) else f"{row[CLASS]} is no class of dataset.yaml"
        raise UserError(f"{path}: {row[FILE]}: {said}; known there: {', '.join(known)}")
    return dict(zip(table[FILE], ids.astype(int).tolist(), strict=True))


def class_of(path: Path, table: Mapping[str, int], listed_in: Path) -> int:
    """The class id of an image. Raises UserError when the table does not list it."""
    refuse_unlisted(path, table, listed_in, "class")
    return table[path.name]
