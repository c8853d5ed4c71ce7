"""Labels that move with the object.

Were they held still while the object moves, the target's loss would say that the object leaves its label behind, and
not how hard it is to find.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.compose.composer import as_samples
from stages.compose.pasting import Canvas
from stages.train.targets.base import Target


def moving_labels(target: Target, canvas: Canvas) -> Tensor:
    """The target's labels of composites, differentiable in the placement of each image's last object, on its device.

    Masks are given as shares (N, classes, H, W), which are 0 or 1; the others are in the target's own form.
    """
    labels = target.labels(as_samples(canvas)).to(canvas.images.device)
    if target.task == "segmentation":
        return mask_shares(labels, canvas, len(target.spec.classes))
    if target.task == "detection":
        return moving_boxes(labels, canvas)
    if target.task == "keypoints" and canvas.keypoints is not None:
        return canvas.keypoints[:, -1]
    if target.task == "depth" and canvas.depth is not None:
        return canvas.depth
    return labels


def mask_shares(masks: Tensor, canvas: Canvas, classes: int) -> Tensor:
    """(N, classes, H, W) of masks (N, H, W): where the last object's opacity grows, its class takes from what is there,
    and where it shrinks, the background takes from it."""
    shares = F.one_hot(masks.long(), classes).movedim(3, 1).float()
    if canvas.opacity is None:
        return shares
    mine = canvas.owner == canvas.class_ids.shape[1]
    others = F.one_hot(torch.where(mine, 0, masks.long()), classes).movedim(3, 1)
    own = F.one_hot(canvas.class_ids[:, -1], classes)[:, :, None, None]
    return shares + (canvas.opacity - canvas.opacity.detach())[:, None] * (own - others)


def moving_boxes(labels: Tensor, canvas: Canvas) -> Tensor:
    """Boxes (N, M, 5), those of the last objects moving as these do; they are the last ones of each image."""
    if canvas.placed is None:
        return labels
    last = (labels[:, :, 4] >= 0).sum(dim=1) - 1
    mine = (torch.arange(labels.shape[1], device=labels.device) == last[:, None]) & (canvas.class_ids[:, -1:] > 0)
    moves = F.pad(canvas.placed - canvas.placed.detach(), (0, 1))
    return labels + mine[:, :, None] * moves[:, None]
