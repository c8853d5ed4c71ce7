"""What the label stage reads and leaves: usable inversions, pictures, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.masks import main_class
from stages.common.pictures import enlarged, save_png, strips, with_labels
from stages.common.samples import SampleSet
from stages.label.heads import Head
from stages.label.quality import pooled_iou

PICTURES, SIDE = 16, 64
DENSE = ("masks", "keypoints", "depth")  # as a set calls them


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
    kept = {name: None if (found := getattr(views, name)) is None else found[keep] for name in DENSE}
    return Inverted(SampleSet(views.images[keep], index=index, **kept), ws[torch.from_numpy(keep)], np.asarray(group))


def labels_of(samples: SampleSet, head: Head) -> np.ndarray:
    """The labels that a head learns. Raises UserError when the set lacks them."""
    found = samples.labels(head.kind)
    if found is None:
        raise UserError(f"label: the labelled images lack their {head.kind}; see prepare.learn in params.yaml")
    return found


def summarise(predictions: np.ndarray, truth: np.ndarray, head: Head, classes: Sequence[str]) -> dict[str, float]:
    """How good labels of held-out images are: names that begin with `label/` and end in `_cv`, or have it inside."""
    if head.kind == "keypoints":
        return keypoint_summary(predictions, truth)
    if head.kind == "class_id":
        return class_summary(predictions, truth, classes)
    return depth_summary(predictions, truth) if head.kind == "depth" else mask_summary(predictions, truth, classes)


def class_summary(predictions: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """label/accuracy_cv, the share of images whose class is right, and label/accuracy_cv/<class> of each class."""
    right = predictions == truth
    of_class = {name: right[truth == number] for number, name in enumerate(classes) if (truth == number).any()}
    return {
        "label/accuracy_cv": float(right.mean()),
        **{f"label/accuracy_cv/{name}": float(found.mean()) for name, found in of_class.items()},
    }


def keypoint_summary(predictions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """label/distance_px_cv, the mean and label/distance_px_median_cv, the median distance of known keypoints, given or
    not, and label/found_cv, the share of them that is given."""
    known = truth[:, :, 2] > 0
    apart = np.linalg.norm(predictions[:, :, :2] - truth[:, :, :2], axis=2)[known]
    return {
        "label/distance_px_cv": float(apart.mean()),
        "label/distance_px_median_cv": float(np.median(apart)),
        "label/found_cv": float((predictions[:, :, 2] > 0)[known].mean()),
    }


def depth_summary(predictions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """label/absrel_cv, the mean relative error of pixels known to both, and label/known_iou_cv, how these agree."""
    both, either = (predictions > 0) & (truth > 0), (predictions > 0) | (truth > 0)
    relative = np.abs(predictions - truth)[both] / truth[both]
    return {
        "label/absrel_cv": float(relative.mean()) if both.any() else float("nan"),
        "label/known_iou_cv": float(both.sum() / max(either.sum(), 1)),
    }


def mask_summary(predictions: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
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
    path: Path, images: np.ndarray, truth: np.ndarray, predictions: np.ndarray, head: Head, classes: int
) -> Path:
    """Columns of images; rows: image, its label, the label predicted without having seen it."""
    chosen = np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)
    drawn = [with_head_labels(images[chosen], labels[chosen], head.kind, classes) for labels in (truth, predictions)]
    return save_png(path, strips([enlarged(images[chosen], SIDE), *drawn]))


def with_head_labels(images: np.ndarray, labels: np.ndarray, kind: str, classes: int) -> np.ndarray:
    """Images (N, H, W, C), `enlarged` to SIDE, with N labels of a head's kind."""
    shown: dict[str, Any] = dict.fromkeys(("mask", "keypoints", "class_id", "depth")) | {kind: labels}
    return with_labels(
        images,
        shown["mask"],
        shown["keypoints"],
        None,
        classes,
        SIDE,
        class_ids=shown["class_id"],
        depth=shown["depth"],
    )
