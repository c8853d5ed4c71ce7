"""What the stage leaves: the annotated set with its latents, a picture, figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.annotate.answers import ORACLE, Annotations
from stages.annotate.latents import Origin
from stages.common.pictures import enlarged, grid, save_png
from stages.common.samples import Sample, write_set
from stages.common.weights import save_weights
from stages.invert.storage import LATENTS
from stages.label.quality import pooled_iou
from stages.label.results import SIDE, depth_summary, keypoint_summary, with_head_labels

COLUMNS = 10


def write_annotated(folder: Path, annotations: Annotations | None, kind: str, origin: Origin) -> pd.DataFrame:
    """The annotated images with their labels, and their latents in the same order, as `label` reads them; a set without
    samples where nothing is annotated."""
    if annotations is None:
        return write_set(folder, [])
    facts = origin.config() | {"annotator": annotations.annotator, "reencode": bool(origin.encoder)}
    save_weights(folder / LATENTS, {"ws": annotations.ws}, facts)
    return write_set(folder, _samples(annotations, kind))


def _samples(annotations: Annotations, kind: str) -> Iterator[Sample]:
    for number, name in enumerate(annotations.names):
        facts = {
            "recipe": "annotated",
            "source_id": name,
            "source_key": name,
            "group": name,
            "view": 0,
            "flagged": False,
            "annotator": annotations.annotator,
        }
        labels: dict[str, Any] = {kind: annotations.labels[number]}
        yield Sample(f"annotated-{number:06d}", annotations.images[number], facts=facts, **labels)


def draw_selected(
    path: Path, images: np.ndarray, kind: str, labels: np.ndarray | None, guess: np.ndarray | None, classes: int
) -> Path:
    """Rows of ten images; under each row the same with their labels, then with the guess, where there are any."""
    labelled = [with_head_labels(images, values, kind, classes) for values in (labels, guess) if values is not None]
    rows = [enlarged(images, SIDE), *labelled]
    columns = min(COLUMNS, len(images))
    blank = np.full_like(rows[0][:1], 255)
    lines = []
    for start in range(0, len(images), columns):
        for pictures in rows:
            line = pictures[start : start + columns]
            lines += [line, *[blank] * (columns - len(line))]
    return save_png(path, grid(np.concatenate(lines), columns))


def guess_quality(kind: str, guess: np.ndarray, labels: np.ndarray, classes: int) -> dict[str, float]:
    """How near what the label generator of `gan` guesses is to the annotations: annotate/guess_..., where they
    say something."""
    if kind == "keypoints":
        if not (labels[:, :, 2] > 0).any():
            return {}
        return {"annotate/guess_distance_px": keypoint_summary(guess, labels)["label/distance_px_cv"]}
    if kind == "depth":
        error = depth_summary(guess, labels)["label/absrel_cv"]
        return {"annotate/guess_absrel": error} if error == error else {}
    found = [value for value in pooled_iou(guess, labels, range(classes)).values() if value == value]
    return {"annotate/guess_miou": float(np.mean(found))} if found else {}


def figures(candidates: int, exported: int, annotations: Annotations | None) -> dict[str, float]:
    """How many images there were to select from, were exported and are annotated, and whether by an oracle."""
    counts = {"annotate/candidates": candidates, "annotate/exported": exported}
    found = {name: float(count) for name, count in counts.items()}
    if annotations is None:
        return found | {"annotate/images": 0.0}
    by_oracle = float(annotations.annotator == ORACLE)
    return found | {"annotate/images": float(len(annotations)), "annotate/by_oracle": by_oracle}
