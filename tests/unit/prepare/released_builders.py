"""Files of small trees that are laid out like released data sets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.scan import scan
from stages.prepare.sources import open_source


def save(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) pixels, and the folders on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(size: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def released(source: str, root: Path, **values: object) -> PrepareParams:
    """The params that read a tree, at 16 x 16 pixels unless the values say otherwise."""
    return PrepareParams.model_validate({"source": source, "path": root, "resize": [16, 16]} | values)


def refused(params: PrepareParams) -> str:
    """The sentence that reading all of the source ends with, even where bad files may be left out."""
    with pytest.raises(UserError) as error:
        scan(open_source(params), quarantine=True)
    assert "\n" not in str(error.value)
    return str(error.value)
