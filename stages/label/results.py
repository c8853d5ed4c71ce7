"""What the label stage reads and leaves: usable inversions, pictures, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.masks import main_class
from stages.common.pictures import overlay, save_png, strips
from stages.common.samples import SampleSet
from stages.label.quality import pooled_iou

PICTURES = 16


@dataclass(frozen=True)
class Inverted:
    """Views of labelled images that the generator reconstructs well.

    ws: (N, num_ws, w_dim). group: (N,) number of the group that each view's image belongs to; without groups in the
    data every labelled image is its own.
    """

    views: SampleSet
    ws: Tensor
    group: np.ndarray


def usable(views: SampleSet, ws: Tensor, drop_flagged: bool) -> Inverted:
    """Leave out the views whose reconstruction is flagged. Raises UserError when fewer than two images remain."""
    keep = ~views.index["flagged"].to_numpy(bool) if drop_flagged else np.ones(len(views), bool)
    index = views.index[keep].reset_index(drop=True)
    if index["source_key"].nunique() < 2:
        raise UserError(
            "invert.reject_above: fewer than two labelled images are left; raise it, or train the GAN longer"
        )
    group, _ = pd.factorize(index["group"])
    masks = views.require_masks()[keep]
    return Inverted(SampleSet(views.images[keep], masks, index), ws[torch.from_numpy(keep)], np.asarray(group))


def summarise(predictions: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """label/miou_cv, label/iou_cv/<class>, and the share of images whose main class is right."""
    iou = pooled_iou(predictions, truth, range(len(classes)))
    present = {classes[c]: value for c, value in iou.items() if value == value}
    right = [main_class(p) == main_class(t) for p, t in zip(predictions, truth, strict=True)]
    return {
        "label/miou_cv": float(np.mean(list(present.values()))),
        "label/main_class_cv": float(np.mean(right)),
        **{f"label/iou_cv/{name}": value for name, value in present.items()},
    }


def draw_cross_validation(
    path: Path, images: np.ndarray, truth: np.ndarray, predictions: np.ndarray, classes: int
) -> Path:
    """Columns of images; rows: image, its label, the label predicted without having seen it."""
    chosen = np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)
    images, truth, predictions = images[chosen], truth[chosen], predictions[chosen]
    scale = max(1, 64 // max(images.shape[1:3]))
    rows = [images, overlay(images, truth, classes), overlay(images, predictions, classes)]
    return save_png(path, strips(rows, scale=scale))
