"""The facts that validation judges, a row a sample, computed from the stored pixels."""

import hashlib

import numpy as np
import pandas as pd

from stages.common.spec import IGNORE, DatasetSpec
from stages.validate.alignment import alignment
from stages.validate.annotations import annotation_facts, class_column
from stages.validate.neighbours import Nearest, nearest, reduce
from stages.validate.reading import JudgedSet
from stages.validate.regions import regions

INDEX_COLUMNS = ("key", "shard", "recipe", "source_id", "uncertainty", "label_iou", "label_shift_px")
IMAGE_COLUMNS = ("image_min", "image_max", "contrast", "noise", "image_digest")
CHUNK = 1024  # samples measured at a time: bounds the memory and keeps to the cache
WHITE_NOISE = 1 - 2 * 4 / 16 + 36 / 256  # variance of x minus its 3x3 binomial mean, for x of variance 1


def pixel_digests(pixels: np.ndarray) -> np.ndarray:
    """(N, ...) uint8 -> (N,) strings, equal when all pixels are equal."""
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in pixels], dtype=str)


def brightness(images: np.ndarray) -> np.ndarray:
    """(N, H, W, C) uint8 -> (N, H, W) float32: mean of the channels, 0 to 255."""
    total = images[..., 0].astype(np.float32)
    for channel in range(1, images.shape[3]):
        total += images[..., channel]
    return total / images.shape[3]


def noise(grey: np.ndarray) -> np.ndarray:
    """(N, H, W) float32 -> (N,): share in [0, 1] of the variance that a 3x3 binomial filter removes.

    White noise has WHITE_NOISE, less at the edges; smooth images have next to 0, flat ones 0.
    """
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    total = grey.var(axis=(1, 2))
    return np.where(total > 0, np.minimum((grey - smooth).var(axis=(1, 2)) / np.maximum(total, 1e-9), 1), 0)


def label_facts(masks: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """Facts of (N, H, W) masks alone: unknown ids, labelled pixels, classes, regions. nan where there is no label."""
    known = np.zeros(256, bool)
    known[[*range(len(spec.classes)), IGNORE]] = True
    labelled = ((masks > 0) & (masks != IGNORE)).sum(axis=(1, 2))
    present = {class_column(c): (masks == c).any(axis=(1, 2)).astype(np.float64) for c in spec.foreground}
    found = regions(masks, IGNORE)
    return {
        "unknown_pixels": (~known[masks]).sum(axis=(1, 2)),
        "labelled_pixels": labelled,
        "foreground_share": np.where(labelled > 0, labelled / (spec.size[0] * spec.size[1]), np.nan),
        "classes": sum(present.values(), np.zeros(len(masks))),
        "regions": found.count,
        "specks": found.specks,
        "largest_region": found.largest,
        "smallest_region": found.smallest,
        **present,
    }


def pixel_facts(samples: JudgedSet, spec: DatasetSpec) -> pd.DataFrame:
    """The facts that need no other sample: format, range, contrast, noise, label, alignment, digest."""
    copied = {name: samples.index[name] for name in INDEX_COLUMNS if name in samples.index}
    chunks = [slice(start, start + CHUNK) for start in range(0, len(samples), CHUNK)]
    measured = [_measured(samples.images[chunk], samples.masks[chunk], spec) for chunk in chunks]
    pixels = pd.concat(measured, ignore_index=True)
    for column in pixels.columns.difference(list(IMAGE_COLUMNS)):
        pixels[column] = pixels[column].where(samples.has_mask)
    pixels = pixels.assign(**annotation_facts(samples, spec))
    for name in ("label_iou", "label_shift_px"):
        copied.setdefault(name, pd.Series(np.nan, index=samples.index.index))
    return pd.DataFrame({**copied, "well_formed": samples.well_formed.astype(np.float64)}).join(pixels)


def _measured(images: np.ndarray, masks: np.ndarray, spec: DatasetSpec) -> pd.DataFrame:
    grey = brightness(images)
    aligned, shift = alignment(grey, masks, IGNORE)
    values = images.reshape(len(images), -1)
    return pd.DataFrame(
        {
            "image_min": values.min(axis=1),
            "image_max": values.max(axis=1),
            "contrast": grey.std(axis=(1, 2)),
            "noise": noise(grey),
            **label_facts(masks, spec),
            "aligned": aligned,
            "shift_px": shift,
            "image_digest": pixel_digests(images),
        }
    )


def genuine_reals(samples: JudgedSet, reference: JudgedSet) -> np.ndarray:
    """(N,): 1 where a row that says `real` is an image and label of the reference, 0 where not, nan in other rows."""
    known, found = set(_pairs(reference, np.arange(len(reference)))), np.full(len(samples), np.nan)
    positions = np.flatnonzero(samples.real)
    found[positions] = [pair in known for pair in _pairs(samples, positions)]
    return found


def _pairs(samples: JudgedSet, positions: np.ndarray) -> list[tuple[str, ...]]:
    images, masks = samples.images[positions], samples.masks[positions]
    boxes = [samples.boxes[i].tobytes().hex() if samples.boxes else "" for i in positions]
    classes = [str(samples.class_ids[i]) if len(samples.class_ids) else "" for i in positions]
    dense = [_bytes_of(samples.keypoints, i) + _bytes_of(samples.depth, i) for i in positions]
    return list(zip(pixel_digests(images), pixel_digests(masks), boxes, classes, dense, strict=True))


def _bytes_of(labels: np.ndarray, position: int) -> str:
    return labels[position].tobytes().hex() if len(labels) else ""


def duplicate_facts(samples: JudgedSet, digests: pd.Series) -> dict[str, np.ndarray | pd.Series]:
    """Which earlier sample each one repeats, exactly or nearly; real rows count as earlier than all others.

    Returns `exact_duplicate_of` (key or None), `near_sample` (key of the nearest earlier sample or None) and
    `near_sample_distance` (grey levels, nan without an earlier one).
    """
    order = np.argsort(~samples.real, kind="stable")
    keys, sorted_digests = samples.index["key"].to_numpy(object)[order], digests.to_numpy()[order]
    first: dict[str, str] = {}
    originals = [first.setdefault(digest, key) for digest, key in zip(sorted_digests, keys, strict=True)]
    exact = np.array([None if original == key else original for original, key in zip(originals, keys, strict=True)])
    reduced = reduce(samples.images[order])
    found = nearest(reduced, reduced, limits=np.arange(len(order)))
    back = np.argsort(order)
    return {"exact_duplicate_of": pd.Series(exact[back], dtype=object)} | _named("near_sample", found, keys, back)


def training_facts(generated: np.ndarray, found: Nearest, keys: np.ndarray) -> dict[str, np.ndarray | pd.Series]:
    """The nearest training image of the generated rows: `near_training` (key) and `near_training_distance`.

    generated: (N,) bool. found: of the generated rows alone. keys: (M,) names of the training images.
    """
    position, distance = np.full(len(generated), -1), np.full(len(generated), np.inf)
    position[generated], distance[generated] = found.position, found.distance
    return _named("near_training", Nearest(position, distance), keys, np.arange(len(generated)))


def _named(name: str, found: Nearest, keys: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray | pd.Series]:
    names = np.where(found.position >= 0, keys[found.position], None) if len(keys) else np.full(len(order), None)
    return {
        name: pd.Series(names[order], dtype=object),
        f"{name}_distance": np.where(np.isfinite(found.distance), found.distance, np.nan)[order],
    }
