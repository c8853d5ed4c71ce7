"""What `train` reads: the accepted samples of a recipe, and the validation images."""

from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.paths import require
from stages.common.recipes import POOL
from stages.common.samples import SampleSet, read_index, read_set, read_table
from stages.train.targets.base import Target
from stages.train.training import LabelledData


def read_accepted(folder: Path, accepted: Path) -> SampleSet:
    """The samples of a set whose keys a parquet file with the column `key` lists. Raises UserError when none is."""
    require(folder, "generate")
    keys = read_table(require(accepted, "validate"))["key"].tolist()
    if not keys:
        raise UserError(f"{accepted}: no sample was accepted; see quarantine.parquet beside it for the reasons")
    return read_set(folder, keys)


def read_if_any(folder: Path) -> SampleSet | None:
    """A set, or None when it holds no sample."""
    return read_set(folder) if len(read_index(require(folder, "prepare"))) else None


def read_pool(folder: Path) -> np.ndarray:
    """(M, H, W, C) uint8: the unlabelled images beside the samples of a recipe. Raises UserError without any."""
    if not len(read_index(require(folder / POOL, "generate"))):
        raise UserError(f"{folder / POOL}: holds no image; the recipe mean_teacher learns from unlabelled ones too")
    return read_set(folder / POOL).images


def labelled(samples: SampleSet, target: Target) -> LabelledData:
    """Images, the target's labels, and which rows are real."""
    return LabelledData(samples.images, target.labels(samples), (samples.index["recipe"] == "real").to_numpy())
