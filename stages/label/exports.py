"""What `python -m stages.label --images` leaves: labels to correct, in all formats, and what to look at first."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.encoding import encode_png
from stages.common.exchange import FORMATS, POINT_FORMATS, Annotated, Pointed, write_images
from stages.common.exchange.points import numbered
from stages.common.paths import write_atomically
from stages.common.pictures import enlarged, heat, save_png, strips
from stages.common.spec import DatasetSpec
from stages.label.prelabels import Prelabels
from stages.label.results import SIDE, with_head_labels

TABLE, SCALES, OVERVIEW, UNCERTAINTY, DEPTH = "labels.csv", "scales.json", "overview.png", "uncertainty", "depth"
SHOWN = 16
STEPS = 65535  # of a grey value with 16 bits
MEANINGS = {
    "mask": "Jensen-Shannon divergence between the members, in nats",
    "keypoints": "variance of the heat maps between the members, summed over the keypoints",
    "class_id": "Jensen-Shannon divergence between the members, in nats",
    "depth": "variance between the members of the logarithm of the depth and of the share that says known",
}


@dataclass(frozen=True)
class Exported:
    """What the labels are of. kind: as the head calls it. unit_m: metres a step of a depth in 16 bits."""

    spec: DatasetSpec
    kind: str
    unit_m: float


def write_exports(folder: Path, files: Sequence[Path], found: Prelabels, of: Exported) -> pd.DataFrame:
    """Everything, in the order of what to look at first; returns the table. files: where each image is from."""
    order = found.order()
    found, files = found.taken(order), [files[row] for row in order]
    names = [file.stem for file in files]
    write_images(folder, dict(zip(names, found.images, strict=True)))
    write_labels(folder, names, found.labels, of)
    white = write_uncertainty(folder / UNCERTAINTY, names, found.uncertainty)
    write_scales(folder / SCALES, white, of)
    draw_overview(folder / OVERVIEW, found, of, white)
    table = pd.DataFrame(
        {
            "file": [f"{name}.png" for name in names],
            **({"class": [of.spec.classes[label] for label in found.labels]} if of.kind == "class_id" else {}),
            "score": found.score,
            "reconstruction_error": found.error,
            "flagged": found.flagged,
        }
    )
    table.to_csv(folder / TABLE, index=False, float_format="%.6g")
    return table


def write_labels(folder: Path, names: Sequence[str], labels: np.ndarray, of: Exported) -> None:
    """Masks or keypoints in every format that an annotation tool reads; depth as grey values with 16 bits. Classes of
    whole images are a column of the table."""
    pairs = list(zip(names, labels, strict=True))
    if of.kind == "mask":
        masks = [Annotated(name, of.spec.size, label) for name, label in pairs]
        for mask_format in FORMATS.values():
            mask_format.write(folder, masks, of.spec.classes)
    elif of.kind == "keypoints":
        points = [Pointed(name, of.spec.size, label) for name, label in pairs]
        for point_format in POINT_FORMATS.values():
            point_format.write(folder, points, numbered(of.spec.keypoints))
    elif of.kind == "depth":
        for name, label in pairs:
            write_atomically(folder / DEPTH / f"{name}.png", encode_png(depth_steps(label, of.unit_m)))


def depth_steps(depth: np.ndarray, unit_m: float) -> np.ndarray:
    """(H, W) metres, 0 = unknown, to uint16 grey values, 0 = unknown; a known depth is at least 1 and at most 65535."""
    steps = np.clip(np.rint(depth / unit_m), 1, STEPS)
    return np.where(depth > 0, steps, 0).astype(np.uint16)


def write_uncertainty(folder: Path, names: Sequence[str], maps: np.ndarray) -> float:
    """Maps (N, H, W) as grey PNG files; returns what white stands for: the largest value of all. Black is 0."""
    white = max(float(maps.max()), 1e-6)
    for name, values in zip(names, maps, strict=True):
        grey = np.rint(values.astype(np.float32) * (255 / white)).astype(np.uint8)
        write_atomically(folder / f"{name}.png", encode_png(grey))
    return white


def write_scales(path: Path, white: float, of: Exported) -> None:
    """What the grey values of each folder stand for."""
    scales: dict[str, dict[str, float | str]] = {UNCERTAINTY: {"white": white, "meaning": MEANINGS[of.kind]}}
    if of.kind == "depth":
        scales[DEPTH] = {"unit_m": of.unit_m}
    write_atomically(path, json.dumps(scales, indent=1).encode())


def draw_overview(path: Path, found: Prelabels, of: Exported, white: float) -> Path:
    """Columns of the first images; rows: image, reconstruction, label, uncertainty (black 0 to yellow `white`)."""
    first = found.taken(np.arange(min(SHOWN, len(found))))
    rows = [
        enlarged(first.images, SIDE),
        enlarged(first.remade, SIDE),
        with_head_labels(first.images, first.labels, of.kind, len(of.spec.classes)),
        enlarged(heat(first.uncertainty.astype(np.float32), top=white), SIDE),
    ]
    return save_png(path, strips(rows))
