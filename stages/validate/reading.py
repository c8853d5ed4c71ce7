"""Reading a set without trust: what is malformed is marked, not believed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.common.samples import Sample, iterate_samples, read_index
from stages.common.spec import DatasetSpec


@dataclass(frozen=True)
class JudgedSet:
    """A set as it was stored.

    images: (N, H, W, C) uint8 and masks: (N, H, W) uint8, zeros where a sample is malformed. well_formed: (N,) bool,
    False where the image or the mask is missing, no uint8, or of another size than the spec's. index: N rows, in the
    order of the shards.
    """

    images: np.ndarray
    masks: np.ndarray
    well_formed: np.ndarray
    index: pd.DataFrame

    def __len__(self) -> int:
        return len(self.images)

    @property
    def real(self) -> np.ndarray:
        """(N,) bool: the rows that say that they are real images."""
        return (self.column("recipe", "") == "real").to_numpy(bool)

    def column(self, name: str, default: object) -> pd.Series:
        """A column of the index, or the default in every row when the index lacks it."""
        return self.index[name] if name in self.index else pd.Series([default] * len(self.index))


def read_judged(folder: Path, spec: DatasetSpec) -> JudgedSet:
    """Every sample of the set in `folder`.

    Raises UserError when the index has no `key` or `shard`, when it does not list what the shards hold, or when a
    file of a shard cannot be read.
    """
    index = read_index(folder)
    for column in ("key", "shard"):
        if column not in index:
            raise UserError(f"{folder}/index.parquet: has no column `{column}`; make the set again")
    samples = list(iterate_samples(folder))
    if [sample.key for sample in samples] != index["key"].tolist():
        raise UserError(f"{folder}/index.parquet: does not list the samples of its shards; make the set again")
    if not samples:
        raise UserError(f"{folder}: the set is empty; make it again")
    return _judged(samples, index, spec)


def _judged(samples: list[Sample], index: pd.DataFrame, spec: DatasetSpec) -> JudgedSet:
    images = np.zeros((len(samples), *spec.size, spec.channels), np.uint8)
    masks = np.zeros((len(samples), *spec.size), np.uint8)
    good = np.array([is_well_formed(sample, spec) for sample in samples])
    for position, sample in enumerate(samples):
        if good[position] and sample.mask is not None:
            images[position], masks[position] = sample.image, sample.mask
    return JudgedSet(images, masks, good, index.reset_index(drop=True))


def is_well_formed(sample: Sample, spec: DatasetSpec) -> bool:
    """Whether image and mask are there, uint8, and of the spec's size and channels."""
    image, mask = sample.image, sample.mask
    shape = (*spec.size, spec.channels)
    return bool(
        mask is not None
        and image.shape == shape
        and mask.shape == tuple(spec.size)
        and image.dtype == mask.dtype == np.uint8
    )
