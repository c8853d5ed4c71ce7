"""Reading a set without trust: what is malformed is marked, not believed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.common.samples import Sample, SampleSet, iterate_samples, read_index
from stages.common.spec import DatasetSpec


@dataclass(frozen=True)
class JudgedSet:
    """A set as it was stored.

    images: (N, H, W, C) uint8 and masks: (N, H, W) uint8, zeros where a sample is malformed. has_mask: (N,) bool; data
    with a gaze, boxes or classes of images may go without. well_formed: (N,) bool, False where the image or a label is
    missing, or of another type or size than the spec's. index: N rows, in the order of the shards. boxes: N arrays
    (K, 5) of data that has boxes, empty where a sample is malformed. class_ids: (N,) of data that has classes of
    images, nan for none. keypoints: (N, K, 3) and depth: (N, H, W) of data that has them, zeros where a sample is
    malformed.
    """

    images: np.ndarray
    masks: np.ndarray
    has_mask: np.ndarray
    well_formed: np.ndarray
    index: pd.DataFrame
    boxes: tuple[np.ndarray, ...] = ()
    class_ids: np.ndarray = field(default_factory=lambda: np.zeros(0))
    keypoints: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    depth: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))

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


def joined(sets: Sequence[JudgedSet]) -> JudgedSet:
    """Sets of one dataset, one behind the other."""
    if len(sets) == 1:
        return sets[0]
    arrays = ("images", "masks", "has_mask", "well_formed", "class_ids", "keypoints", "depth")
    index = pd.concat([one.index for one in sets], ignore_index=True)
    boxes = tuple(rows for one in sets for rows in one.boxes)
    return JudgedSet(
        index=index, boxes=boxes, **{name: np.concatenate([getattr(one, name) for one in sets]) for name in arrays}
    )


def _judged(samples: list[Sample], index: pd.DataFrame, spec: DatasetSpec) -> JudgedSet:
    images = np.zeros((len(samples), *spec.size, spec.channels), np.uint8)
    masks = np.zeros((len(samples), *spec.size), np.uint8)
    good = np.array([is_well_formed(sample, spec) for sample in samples])
    has_mask = np.array([sample.mask is not None or needs_mask(spec) for sample in samples])
    for position, sample in enumerate(samples):
        if good[position]:
            images[position] = sample.image
            masks[position] = 0 if sample.mask is None else sample.mask
    boxes: tuple[np.ndarray, ...] = ()
    if spec.labels == "boxes":
        pairs = zip(samples, good, strict=True)
        boxes = tuple(s.boxes if fine and s.boxes is not None else np.zeros((0, 5), np.float32) for s, fine in pairs)
    class_ids = np.array([np.nan if s.class_id is None else s.class_id for s in samples], np.float64)
    keypoints = _stacked(samples, good, "keypoints", (spec.keypoints, 3)) if spec.keypoints else np.zeros((0, 0, 3))
    depth = _stacked(samples, good, "depth", spec.size) if spec.depth else np.zeros((0, 0, 0))
    return JudgedSet(images, masks, has_mask, good, index.reset_index(drop=True), boxes, class_ids, keypoints, depth)


def _stacked(samples: list[Sample], good: np.ndarray, name: str, shape: tuple[int, int]) -> np.ndarray:
    stacked = np.zeros((len(samples), *shape), np.float32)
    for position in np.flatnonzero(good):
        stacked[position] = getattr(samples[position], name)
    return stacked


def is_well_formed(sample: Sample, spec: DatasetSpec) -> bool:
    """Whether the image and the labels that the spec asks for are there, of its size and of the right type."""
    fits = _mask_fits(sample, spec) and _gaze_fits(sample, spec) and _boxes_fit(sample, spec)
    fits = fits and (not spec.keypoints or _has_shape(sample.keypoints, (spec.keypoints, 3)))
    fits = fits and (not spec.depth or _has_shape(sample.depth, spec.size))
    return _is_bytes(sample.image, (*spec.size, spec.channels)) and fits


def needs_mask(spec: DatasetSpec) -> bool:
    """Whether every sample must have a mask."""
    return spec.labels == "masks" and bool(spec.classes) and not spec.gaze


def _mask_fits(sample: Sample, spec: DatasetSpec) -> bool:
    if sample.mask is None:
        return not needs_mask(spec)
    return _is_bytes(sample.mask, spec.size)


def _gaze_fits(sample: Sample, spec: DatasetSpec) -> bool:
    gaze = sample.gaze
    return not spec.gaze or bool(gaze is not None and gaze.shape == (2,) and np.isfinite(gaze).all())


def _boxes_fit(sample: Sample, spec: DatasetSpec) -> bool:
    if spec.labels != "boxes":
        return True
    boxes = sample.boxes
    return bool(boxes is not None and boxes.ndim == 2 and boxes.shape[1] == 5 and np.isfinite(boxes).all())


def _has_shape(label: np.ndarray | None, shape: tuple[int, int]) -> bool:
    return label is not None and label.shape == tuple(shape)


def _is_bytes(pixels: np.ndarray, shape: tuple[int, ...]) -> bool:
    return pixels.shape == tuple(shape) and pixels.dtype == np.uint8


def unlabelled(samples: SampleSet) -> JudgedSet:
    """Images without labels as a reference for what real images look like."""
    images = samples.images
    none = np.zeros(len(images), bool)
    boxes = tuple(np.zeros((0, 5), np.float32) for _ in images)
    class_ids = np.full(len(images), np.nan)
    return JudgedSet(images, np.zeros(images.shape[:3], np.uint8), none, ~none, samples.index, boxes, class_ids)
