"""labels.csv beside images/: a row an image, found by its file name."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError

FILE = "file"
NAME = "labels.csv"


def read_table(path: Path, columns: Sequence[str], why: str) -> pd.DataFrame:
    """The table with its column `file` as text; the others as they are, classes of digits as text, too.

    Raises UserError when it is missing (`why` says what it is for) or unreadable, lacks a column, or names a file
    twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; {why}")
    try:
        # Classes may be called None or NA.
        table = pd.read_csv(
            path, dtype={FILE: str, "class": str}, skipinitialspace=True, keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())})") from error
    _refuse_missing((FILE, *columns), [str(column) for column in table.columns], path)
    files = table[FILE].astype(str)
    if files.duplicated().any():
        raise UserError(f"{path}: {files[files.duplicated()].iloc[0]} is listed twice; remove one of its rows")
    return table.assign(**{FILE: files})


def _refuse_missing(wanted: Sequence[str], found: Sequence[str], path: Path) -> None:
    for column in wanted:
        if column not in found and any(";" in name for name in found):
            raise UserError(f"{path}: its columns are separated with semicolons; separate them with commas")
        if column not in found:
            raise UserError(f"{path}: no column {column}; it has {', '.join(found)}")


def refuse_unlisted(image: Path, listed: Collection[str], listed_in: Path, kind: str) -> None:
    """Raises UserError when the names listed lack that of an image; `kind` says what is listed of it."""
    if image.name in listed:
        return
    if image.stem in listed:
        raise UserError(f"{listed_in}: {image.stem} has no suffix; give whole names, such as {image.name}")
    raise UserError(f"{listed_in}: {image.name} is not listed; add its {kind} or remove the image")
