"""What the networks that label pixels have in common."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.errors import UserError
from stages.common.pictures import overlay
from stages.common.samples import SampleSet
from stages.common.spec import IGNORE
from stages.common.warp import warp_masks
from stages.train.metrics import segmentation_scores
from stages.train.targets.base import Metric, Target


class SegmentationTarget(Target):
    """Labels and predictions are masks (N, H, W) uint8, 255 = ignore; outputs are scores (N, classes, H, W)."""

    task: ClassVar[str] = "segmentation"
    metric: ClassVar[Metric] = Metric("miou", "mean IoU", "mIoU", True, range="0 to 1", part="iou/")

    def labels(self, samples: SampleSet) -> Tensor:
        """The masks. Raises UserError for an id that is no class."""
        masks = samples.require_masks()
        found = np.unique(masks)
        wrong = found[(found >= len(self.spec.classes)) & (found != IGNORE)]
        if len(wrong):
            raise UserError(
                f"a mask holds class id {wrong[0]}, but the dataset has {len(self.spec.classes)} classes; "
                "correct the masks or the classes of dataset.yaml and run prepare again"
            )
        return torch.from_numpy(masks)

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """Masks warped like their images, each pixel taking the id that covers most of it."""
        return warp_masks(labels, maps)

    def balance(self, labels: Tensor) -> Tensor | None:
        """Inverse root of each class's share of the labelled pixels, scaled to a mean of 1 over these pixels."""
        if self.params.class_weights == "none":
            return None
        counts = torch.bincount(labels.flatten().long(), minlength=256)[: len(self.spec.classes)].float()
        weights = torch.where(counts > 0, counts.clamp(min=1).rsqrt(), 0.0)
        return weights * counts.sum() / (weights * counts).sum()

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """Of the pixels that are not 255: the mean `cross_entropy`, and `dice` where `dice` of the params is not 0."""
        kept = labels != IGNORE
        smoothing = self.params.label_smoothing
        total = F.cross_entropy(
            outputs.float(), labels.long(), weights, ignore_index=IGNORE, label_smoothing=smoothing, reduction="sum"
        )
        terms = {"cross_entropy": total / kept.sum().clamp(min=1)}
        return terms | ({"dice": self.params.dice * dice_loss(outputs, labels)} if self.params.dice else {})

    def losses_each(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """(N,) the loss of each image alone, without label smoothing. labels: shares (N, classes, H, W) of each pixel,
        which may have a gradient."""
        log_shares = outputs.float().log_softmax(dim=1)
        weighted = log_shares if weights is None else log_shares * weights[:, None, None]
        losses = -(labels * weighted).sum(dim=1).mean(dim=(1, 2))
        return losses + self.params.dice * dice_losses(log_shares.exp(), labels)

    def predict(self, outputs: Tensor) -> Tensor:
        """The class of the highest score."""
        return outputs.argmax(dim=1).to(torch.uint8)

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """`miou` and `iou/<class>`."""
        return segmentation_scores(predictions.numpy(), labels.numpy(), self.spec.classes)

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) mean IoU of each image alone, over the classes in its mask; nan where all is ignored."""
        return mean_ious(predictions.numpy(), labels.numpy(), len(self.spec.classes))

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """The classes tinted."""
        return overlay(images, labels.numpy(), len(self.spec.classes))


def mean_ious(predictions: np.ndarray, masks: np.ndarray, classes: int) -> np.ndarray:
    """(N,) mean IoU of each image alone, over the classes in its mask; nan when all of it is ignored."""
    scores = np.full(len(masks), np.nan)
    for i, (predicted, true) in enumerate(zip(predictions, masks, strict=True)):
        kept = true != IGNORE
        pairs = true[kept].astype(np.int64) * classes + predicted[kept]
        table = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        union, shown = table.sum(0) + table.sum(1) - table.diagonal(), table.sum(1) > 0
        if shown.any():
            scores[i] = np.mean(table.diagonal()[shown] / union[shown])
    return scores


def dice_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """1 - the soft Dice overlap (Milletari et al., 2016), pooled over the batch, mean over the classes in the labels.

    outputs: (N, classes, H, W) scores. labels: (N, H, W) ids; pixels of 255 do not count.
    """
    kept = labels != IGNORE
    shares = outputs.float().softmax(dim=1) * kept[:, None]
    ids = labels.long() * kept
    of_truth = shares.gather(1, ids[:, None])[:, 0]
    hits, sizes = (_sum_by_class(values, ids, outputs.shape[1]) for values in (of_truth, kept.float()))
    overlap = 2 * hits / (shares.sum(dim=(0, 2, 3)) + sizes).clamp(min=1)
    present = sizes > 0
    return 1 - (overlap * present).sum() / present.sum().clamp(min=1)


def dice_losses(shares: Tensor, labels: Tensor) -> Tensor:
    """(N,) 1 - the soft Dice overlap of each image alone, mean over the classes in its labels; both (N, classes, H, W)
    shares of each pixel."""
    sizes = labels.sum(dim=(2, 3))
    overlap = 2 * (shares * labels).sum(dim=(2, 3)) / (shares.sum(dim=(2, 3)) + sizes).clamp(min=1)
    present = sizes > 0
    return 1 - (overlap * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)


def _sum_by_class(values: Tensor, ids: Tensor, classes: int) -> Tensor:
    """(classes,) sums of the values whose id, at the same place, is that class."""
    return values.new_zeros(classes).index_add(0, ids.flatten(), values.flatten())
