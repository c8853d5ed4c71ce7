"""Samples on disk: WebDataset shards and one index a set.

A set is a folder of `shard-000000.tar` files, each holding `<key>.image.png` and `<key>.json`, and of a sample's labels
those that it has: `<key>.mask.png`, `<key>.alpha.png`, `<key>.keypoints.npy`, `<key>.depth.npy`, `<key>.gaze.npy`,
`<key>.boxes.npy`, `<key>.ignored.npy`. Beside them lies `index.parquet` with a row a sample. Any WebDataset reader can
read the shards.
"""

import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.encoding import decode_array, decode_png, encode_array, encode_png
from stages.common.errors import UserError

INDEX = "index.parquet"
PICTURES = ("mask", "alpha")
ARRAYS = ("keypoints", "depth", "gaze", "boxes", "ignored")
STACKED = {"mask": "masks", "alpha": "alpha", "keypoints": "keypoints", "depth": "depth", "gaze": "gaze"}


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it.

    image: (H, W, C) uint8, C = 1 or 3. mask: (H, W) uint8 class ids, 0 = background, 255 = ignore, or None.
    facts: JSON values; they become columns of the index. keypoints: (K, 3) float32 x, y in pixels and visibility (0
    unknown, 1 hidden, 2 seen). depth: (H, W) float32, 0 = unknown. gaze: (2,) float32 pitch, yaw in radians.
    alpha: (H, W) uint8 opacity of a cut-out. boxes: (K, 5) float32 left, top, right, bottom in pixels, from the image's
    upper left corner to the far edge of the last pixel, and the class id. ignored: (J, 5) boxes that it is neither
    right nor wrong to find (VOC's difficult objects, COCO's crowds). class_id: of the whole image.
    """

    key: str
    image: np.ndarray
    mask: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    keypoints: np.ndarray | None = None
    depth: np.ndarray | None = None
    gaze: np.ndarray | None = None
    alpha: np.ndarray | None = None
    boxes: np.ndarray | None = None
    ignored: np.ndarray | None = None
    class_id: int | None = None


@dataclass(frozen=True)
class SampleSet:
    """A whole set in memory: images (N, H, W, C) uint8, masks (N, H, W) uint8 or None, and the index, row by row.

    keypoints (N, K, 3), depth (N, H, W), gaze (N, 2), alpha (N, H, W): as in `Sample`, or None where a sample lacks it.
    boxes: N arrays (K, 5), K of each image, or None; ignored: N arrays (J, 5), or None where no sample has any. The
    class of whole images is the column class_id of the index.
    """

    images: np.ndarray
    masks: np.ndarray | None
    index: pd.DataFrame
    keypoints: np.ndarray | None = None
    depth: np.ndarray | None = None
    gaze: np.ndarray | None = None
    alpha: np.ndarray | None = None
    boxes: tuple[np.ndarray, ...] | None = None
    ignored: tuple[np.ndarray, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def labels(self, kind: str) -> np.ndarray | None:
        """The labels that `Sample` calls mask, keypoints, depth, gaze or class_id; None when a sample lacks them."""
        if kind == "class_id":
            there = "class_id" in self.index and self.index["class_id"].notna().all()
            return self.index["class_id"].to_numpy(np.int64) if there else None
        found: np.ndarray | None = getattr(self, STACKED[kind])
        return found

    def require_masks(self) -> np.ndarray:
        """The masks. Raises UserError when the set has none."""
        if self.masks is None:
            raise UserError("this set has no masks; put them under labeled/masks/ of your data folder")
        return self.masks

    def require_gaze(self) -> np.ndarray:
        """(N, 2) pitch, yaw in radians. Raises UserError when the set has none."""
        if self.gaze is None:
            raise UserError("this set has no gaze; put labels.csv with the angles beside images/ of your data folder")
        return self.gaze

    def require_boxes(self) -> tuple[np.ndarray, ...]:
        """The boxes. Raises UserError when a sample of the set has none, not even an empty list."""
        if self.boxes is None:
            raise UserError("this set lacks boxes; put annotations.json beside images/ of your data folder")
        return self.boxes

    def require_class_ids(self) -> np.ndarray:
        """(N,) class of each whole image. Raises UserError when the set has none."""
        if (found := self.labels("class_id")) is None:
            raise UserError("this set lacks classes of images; put labels.csv beside images/ of your data folder")
        return found

    def require_keypoints(self) -> np.ndarray:
        """The keypoints. Raises UserError when a sample of the set has none."""
        if self.keypoints is None:
            raise UserError(
                "this set lacks keypoints; put them in keypoints.json beside the images of your data folder"
            )
        return self.keypoints


def write_shard(path: Path, samples: Iterable[Sample]) -> list[dict[str, Any]]:
    """Write one shard, the same bytes for the same samples; returns its rows of the index."""
    rows: list[dict[str, Any]] = []
    partial = path.with_name(f".{path.name}.partial")
    # Plain tarfile, here and in reading: importing webdataset takes seconds, for it imports torch.
    with tarfile.open(partial, "w") as archive:
        for sample in samples:
            facts = sample.facts | ({} if sample.class_id is None else {"class_id": sample.class_id})
            for extension, content in _encoded(sample, facts).items():
                member = tarfile.TarInfo(f"{sample.key}.{extension}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            rows.append({"key": sample.key, "shard": path.name, **facts})
    partial.rename(path)
    return rows


def _encoded(sample: Sample, facts: dict[str, Any]) -> dict[str, bytes]:
    there = {name: value for name in (*PICTURES, *ARRAYS) if (value := getattr(sample, name)) is not None}
    return {
        "image.png": encode_png(sample.image),
        **{f"{name}.png": encode_png(value) for name, value in there.items() if name in PICTURES},
        **{f"{name}.npy": encode_array(value) for name, value in there.items() if name in ARRAYS},
        "json": json.dumps(facts, sort_keys=True).encode(),
    }


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:06d}.tar"


def write_set(folder: Path, samples: Iterable[Sample], shard_size: int = 5000) -> pd.DataFrame:
    """Write shards of at most `shard_size` samples and the index; returns the index."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for number, chunk in enumerate(_chunks(samples, shard_size)):
        rows += write_shard(folder / shard_name(number), chunk)
    return write_index(folder, rows)


def _chunks(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    chunk: list[Sample] = []
    for sample in samples:
        chunk.append(sample)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def write_index(folder: Path, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Write the rows as index.parquet."""
    index = pd.DataFrame(rows, columns=None if rows else ["key", "shard"])
    index.to_parquet(folder / INDEX, index=False)
    return index


def read_index(folder: Path) -> pd.DataFrame:
    """The index of a set. Raises UserError when the folder is no set."""
    if not (path := folder / INDEX).is_file():
        raise UserError(f"{path}: no such file; run `dvc repro` to make it")
    return read_table(path)


def read_table(path: Path) -> pd.DataFrame:
    """A parquet file that a stage wrote. Raises UserError when it is damaged."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged; delete its folder and run `dvc repro`") from error


def iterate_samples(folder: Path, keys: set[str] | None = None) -> Iterator[Sample]:
    """Samples in the order of the index; only those whose key is in `keys`, when given.

    Raises UserError naming the shard that is missing or damaged.
    """
    for shard in dict.fromkeys(read_index(folder)["shard"]):
        yield from _shard_samples(folder / shard, keys)


def _shard_samples(shard: Path, keys: set[str] | None) -> Iterator[Sample]:
    try:
        with tarfile.open(shard) as archive:
            for key, record in _records(archive):
                if keys is None or key in keys:
                    yield _decode(key, record)
    except (tarfile.TarError, OSError, SyntaxError, ValueError, KeyError) as error:
        raise UserError(f"{shard}: missing or damaged ({error}); delete its folder and run `dvc repro`") from error


def _records(archive: tarfile.TarFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each key with its files by extension."""
    for key, members in itertools.groupby(archive, key=lambda member: member.name.partition(".")[0]):
        files = ((member.name.partition(".")[2], archive.extractfile(member)) for member in members)
        yield key, {extension: file.read() for extension, file in files if file is not None}


def _decode(key: str, record: dict[str, bytes]) -> Sample:
    labels = {name: decode_png(record[f"{name}.png"], image=False) for name in PICTURES if f"{name}.png" in record}
    labels |= {name: decode_array(record[f"{name}.npy"]) for name in ARRAYS if f"{name}.npy" in record}
    facts = json.loads(record["json"])
    return Sample(
        key, decode_png(record["image.png"], image=True), facts=facts, class_id=facts.get("class_id"), **labels
    )


def read_set(folder: Path, keys: Sequence[str] | None = None, limit: int | None = None) -> SampleSet:
    """A set in memory, or the samples with these keys, or the first `limit` of them."""
    index = read_index(folder)
    chosen = index if keys is None else index[index["key"].isin(set(keys))]
    chosen = chosen.head(limit) if limit is not None else chosen
    wanted = None if len(chosen) == len(index) else set(chosen["key"])
    samples = list(iterate_samples(folder, wanted))
    if not samples:
        raise UserError(f"{folder}: the set is empty")
    labels = {plural: _stacked([getattr(s, name) for s in samples]) for name, plural in STACKED.items()}
    boxes = tuple(s.boxes for s in samples if s.boxes is not None)
    ignored = tuple(np.zeros((0, 5), np.float32) if s.ignored is None else s.ignored for s in samples)
    return SampleSet(
        images=np.stack([s.image for s in samples]),
        index=chosen.reset_index(drop=True),
        boxes=boxes if len(boxes) == len(samples) else None,
        ignored=ignored if any(map(len, ignored)) else None,
        **labels,
    )


def _stacked(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [value for value in values if value is not None]
    return np.stack(there) if len(there) == len(values) else None
