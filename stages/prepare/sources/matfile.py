"""MATLAB files up to version 7."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stages.common.errors import UserError


def read_mat(path: Path, variable: str) -> np.ndarray:
    """One variable of a .mat file, structs as structured arrays of shape (1, 1).

    Raises UserError when the file or the variable is missing, or the file is damaged or of version 7.3.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise UserError(f"{path}: no such file; put the data set's own .mat file there")
    damage = (MatReadError, OSError, EOFError, ValueError, TypeError, LookupError, zlib.error, struct.error)
    try:
        found = loadmat(path, variable_names=[variable])
    except NotImplementedError as error:
        raise UserError(f"{path}: a MATLAB file of version 7.3; save it again with -v7") from error
    except damage as error:
        raise UserError(f"{path}: not a whole MATLAB file ({' '.join(str(error).split())}); fetch it again") from error
    if variable not in found:
        raise UserError(f"{path}: holds no {variable}; put the data set's own .mat file there")
    values: np.ndarray = found[variable]
    return values


def field(values: np.ndarray, names: Iterable[str], path: Path, variable: str) -> np.ndarray:
    """What a struct holds under nested names. Raises UserError naming the first that is missing."""
    place = variable
    for name in names:
        place = f"{place}.{name}"
        if values.dtype.names is None or name not in values.dtype.names or values.size != 1:
            raise UserError(f"{path}: holds no {place}; put the data set's own .mat file there")
        values = np.asarray(values.ravel()[0][name])
    return values
