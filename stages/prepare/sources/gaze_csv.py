"""labels.csv beside images/: a gaze for every image."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.prepare.sources.dataset_yaml import GazeFormat
from stages.prepare.sources.tables import FILE, read_table, refuse_unlisted


def read_gaze(path: Path, described: GazeFormat) -> Mapping[str, np.ndarray]:
    """File name -> (2,) float32 pitch, yaw in radians.

    Raises UserError when the table is missing or unreadable, lacks a column, names a file twice, or holds what is no
    number or no angle.
    """
    table = read_table(path, described.columns, "dataset.yaml says that images have a gaze, so list it there")
    files = table[FILE]
    angles = table[list(described.columns)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if described.unit == "degree":
        _warn_if_tiny(path, angles)
        angles = np.radians(angles)
    _refuse_strange(path, files, angles, described)
    return dict(zip(files, angles.astype(np.float32), strict=True))


def _warn_if_tiny(path: Path, degrees: np.ndarray) -> None:
    if len(degrees) > 1 and np.nanmax(np.abs(degrees)) < 2:
        print(f"warning: {path}: no angle reaches 2 degrees; is the unit radian?", flush=True)


def _refuse_strange(path: Path, files: pd.Series, angles: np.ndarray, described: GazeFormat) -> None:
    no_number = ~np.isfinite(angles).all(axis=1)
    if no_number.any():
        raise UserError(f"{path}: {files[no_number].iloc[0]}: {' and '.join(described.columns)} must be numbers")
    strange = (np.abs(angles) > np.pi).any(axis=1)
    if strange.any():
        raise UserError(
            f"{path}: {files[strange].iloc[0]}: more than half a turn; is the unit {described.unit} in dataset.yaml?"
        )


def gaze_of(path: Path, table: Mapping[str, np.ndarray], listed_in: Path) -> np.ndarray:
    """The gaze of an image. Raises UserError when the table does not list it."""
    refuse_unlisted(path, table, listed_in, "gaze")
    return table[path.name]
