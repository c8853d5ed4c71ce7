"""What the networks that find boxes have in common."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.pictures import outlined
from stages.common.samples import SampleSet
from stages.common.warp import warp_points
from stages.train.average_precision import detection_scores, flipped, image_maps
from stages.train.targets.base import Metric, Target

NO_BOX = -1.0
KEPT_SHARE = 0.25  # of the area of a moved box; less of it in the image shows too little of the object
ENLARGE_BELOW = 128


class DetectionTarget(Target):
    """Labels are boxes (N, M, 5) float32: left, top, right, bottom in pixels, 0, 0 being the upper left corner of the
    image, and the class id from 1 on; predictions are (N, `most`, 6) with the score behind it, best first.

    Images with fewer boxes are filled up with rows of class -1. Behind its boxes, an image has its ignored ones with
    the class -1 - c: only scores see them, for whatever learns from boxes takes those with a class of 0 or more.
    """

    task: ClassVar[str] = "detection"
    metric: ClassVar[Metric] = Metric("map", "mean average precision", "mAP", True, range="0 to 1", part="map/")

    def labels(self, samples: SampleSet) -> Tensor:
        """The boxes. Raises UserError when the set has none, for a class id that is no class or a box without area."""
        boxes = samples.require_boxes()
        passed = samples.ignored or [rows[:0] for rows in boxes]
        found = []
        for key, rows, others in zip(samples.index["key"], boxes, passed, strict=True):
            self._refuse_wrong(key, np.concatenate([rows, others]))
            found.append(torch.cat([torch.from_numpy(rows).float(), flipped(torch.from_numpy(others).float())]))
        return padded(found, max(1, *map(len, found)), 5)

    def _refuse_wrong(self, key: str, rows: np.ndarray) -> None:
        wrong = rows[~np.isin(rows[:, 4], self.spec.foreground), 4]
        if len(wrong):
            raise UserError(
                f"sample {key}: a box has class id {wrong[0]:g}, but the classes are 1 to {len(self.spec.foreground)}; "
                "correct annotations.json or the classes of dataset.yaml and run prepare again"
            )
        if not (rows[:, 2:4] > rows[:, :2]).all():
            raise UserError(f"sample {key}: a box has no area; correct annotations.json and run prepare again")

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """The boxes of two sets, padded alike."""
        length = max(first.shape[1], second.shape[1])
        return padded([*first, *second], length, 5)

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """The boxes around the moved corners, clipped to the image; those with less than a quarter of their area left
        in it are dropped."""
        left, top, right, bottom, ids = labels.unbind(dim=2)
        corners = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=2)
        # `warp_points` counts from the middle of the first pixel, boxes from its outer corner.
        places = warp_points(corners.reshape(len(labels), -1, 2) - 0.5, maps, self.spec.size) + 0.5
        places = places.reshape(*labels.shape[:2], 4, 2)
        moved = torch.cat([places.amin(dim=2), places.amax(dim=2)], dim=2)
        clipped = clip(moved, self.spec.size)
        kept = (ids >= 0) & (_area(clipped) >= KEPT_SHARE * _area(moved)) & (_area(clipped) > 0)
        empty = labels.new_tensor([0.0, 0.0, 0.0, 0.0, NO_BOX])
        return torch.where(kept[:, :, None], torch.cat([clipped, ids[:, :, None]], dim=2), empty)

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """`map` and `map_50` of COCO, `map/<class>`, and `voc07_ap`. Raises UserError when there is no true box."""
        return detection_scores(predictions, labels, self.spec.classes)

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) mean average precision of each image alone; nan for one without a box."""
        return image_maps(predictions, labels)

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """Outlines in the colours of the classes; predictions with a score below `shown_from` are left out."""
        rows = labels.numpy()
        shown = rows[:, :, 4] >= 0
        if rows.shape[2] > 5:
            shown &= rows[:, :, 5] >= self.params.detector.shown_from
        boxes = [some[kept] for some, kept in zip(rows, shown, strict=True)]
        return outlined(images, boxes, len(self.spec.classes), ENLARGE_BELOW)


def padded(rows: list[Tensor], length: int, width: int) -> Tensor:
    """(N, length, width): rows (K, width) of each image, filled up with boxes of class -1, the rest cut off."""
    filled = torch.zeros(len(rows), length, width, device=rows[0].device if rows else None)
    filled[:, :, 4] = NO_BOX
    for number, some in enumerate(rows):
        filled[number, : len(some)] = some[:length]
    return filled


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) as far as they lie in an image of `size` (height, width)."""
    limits = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.minimum(boxes.clamp(min=0), limits)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
