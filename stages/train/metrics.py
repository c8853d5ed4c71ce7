"""Scores of predicted masks, pooled over a data set."""

from collections.abc import Sequence

import numpy as np
import torch

from stages.common.errors import UserError
from stages.common.spec import IGNORE

CHUNK = 256


def segmentation_scores(predictions: np.ndarray, masks: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Intersection over union: `miou`, and `iou/<class>` for each class that the masks show.

    predictions, masks: (N, H, W) uint8 class ids; pixels whose true id is 255 do not count. Intersections and unions
    are summed over all images before they are divided. A class that no mask shows is left out of the mean and of the
    result; a pixel that is wrongly given to it costs the class that loses it. Raises UserError when no pixel is
    labelled.
    """
    from torchmetrics.classification import MulticlassJaccardIndex

    jaccard = MulticlassJaccardIndex(len(classes), average="none", ignore_index=IGNORE, validate_args=False)
    for start in range(0, len(masks), CHUNK):
        jaccard.update(_ids(predictions[start : start + CHUNK]), _ids(masks[start : start + CHUNK]))
    # By the masks alone: else one stray pixel of a class that is nowhere true would cost as much as a class missed.
    shown = jaccard.confmat.sum(dim=1) > 0
    if not shown.any():
        raise UserError("the masks to score against hold no labelled pixel: every id is 255 (ignore)")
    values = jaccard.compute()
    by_class = {f"iou/{name}": float(values[i]) for i, name in enumerate(classes) if shown[i]}
    return {"miou": sum(by_class.values()) / len(by_class), **by_class}


def _ids(masks: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(masks.astype(np.int64))
