"""labels.csv beside images/: a row an image, found by its file name."""

from collections.abc import Sequence
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
    for column in (FILE, *columns):
        if column not in table:
            raise UserError(f"{path}: no column {column}; it has {', '.join(map(str, table.columns))}")
    files = table[FILE].astype(str)
    if files.duplicated().any():
        raise UserError(f"{path}: {files[files.duplicated()].iloc[0]} is listed twice")
    return table.assign(**{FILE: files})
