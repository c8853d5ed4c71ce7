"""How good the labels are: cross-validation over the labelled images, all folds trained in one ensemble."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.common.spec import IGNORE
from stages.label.ensemble import Ensemble
from stages.label.heads import Head
from stages.label.labelling import AT_ONCE, LabelGenerator, select_members
from stages.label.pixels import PixelBank
from stages.pretrain.generator import Generator


def make_folds(groups: int, folds: int, seed: int) -> np.ndarray:
    """(groups,) the fold in which each group of labelled images is held out; as many groups in each, up to one."""
    order = np.random.default_rng([seed, 24]).permutation(groups)
    result = np.empty(groups, np.int64)
    result[order] = np.arange(groups) % folds
    return result


def fold_pools(bank: PixelBank, folds: np.ndarray, members: int) -> list[Tensor]:
    """For each member of each fold, the bank's rows that do not come from its held-out groups."""
    fold_of_row = torch.from_numpy(folds).to(bank.group.device)[bank.group]
    pools = [(fold_of_row != fold).nonzero()[:, 0] for fold in range(int(folds.max()) + 1)]
    return [pool for pool in pools for _ in range(members)]


@dataclass(frozen=True)
class HeldOut:
    """Predictions, in the form of the head's labels, of N images that the predicting members never saw."""

    predictions: np.ndarray


def predict_held_out(
    generator: Generator, ensemble: Ensemble, head: Head, ws: Tensor, folds: np.ndarray, members: int, context: bool
) -> HeldOut:
    """Label every labelled image's latent ws (N, num_ws, w_dim) by the members of the fold that held it out."""
    predictions: np.ndarray | None = None
    for fold in range(int(folds.max()) + 1):
        folded = select_members(ensemble, slice(fold * members, (fold + 1) * members))
        rows = np.flatnonzero(folds == fold)
        if not len(rows):  # all its unmoved images are flagged
            continue
        labeler = LabelGenerator(generator, folded, head, context)
        parts = ws[torch.from_numpy(rows)].to(generator.device).split(AT_ONCE)
        found = torch.cat([labeler(part)[1].values for part in parts]).cpu().numpy()
        if predictions is None:
            predictions = np.zeros((len(ws), *found.shape[1:]), found.dtype)
        predictions[rows] = found
    assert predictions is not None, "no fold has an unmoved image"
    return HeldOut(predictions)


def pooled_iou(predictions: np.ndarray, masks: np.ndarray, classes: Sequence[int]) -> dict[int, float]:
    """Intersection over union of each class over all pixels of the set; nan where no mask shows the class."""
    valid = masks != IGNORE
    result = {}
    for c in classes:
        both = ((predictions == c) & (masks == c) & valid).sum()
        either = (((predictions == c) | (masks == c)) & valid).sum()
        result[c] = float(both / either) if (masks == c).any() else float("nan")
    return result
