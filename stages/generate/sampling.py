"""Samples as a function of the seed: image i is the same whoever draws it, in whatever order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from stages.common.spec import IGNORE
from stages.common.tensors import to_arrays
from stages.generate.params import GenerateParams
from stages.invert.latents import LatentSource
from stages.label.labelling import LabelGenerator

UNLABELLED = {"mask": IGNORE, "depth": 0}  # what a pixel without a label holds


@dataclass(frozen=True)
class Drawn:
    """A batch: numbers (N,), images (N, H, W, C) uint8, N labels as the head gives them, scores (N,), uncertainty
    (N, H, W)."""

    numbers: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    uncertainty: np.ndarray


def drawn_count(samples: int, drop_share: float) -> int:
    """How many must be drawn so that `samples` are left when the share is dropped."""
    count = math.ceil(samples / (1 - drop_share))
    while count - 1 - dropped_count(count - 1, drop_share) >= samples:
        count -= 1
    return count


def dropped_count(drawn: int, drop_share: float) -> int:
    """Exactly how many of the drawn are dropped."""
    return math.floor(drawn * drop_share + 1e-9)


def draw(labeler: LabelGenerator, source: LatentSource, numbers: range, params: GenerateParams) -> Iterator[Drawn]:
    """Draw, label and score these numbers, `params.batch` at a time."""
    for start in range(numbers.start, numbers.stop, params.batch):
        part = range(start, min(start + params.batch, numbers.stop))
        with torch.no_grad():
            images, labels = labeler(source(part), params.score_share)
            values = labels.values
            if params.ignore_above is not None and labeler.head.kind in UNLABELLED:
                values = values.masked_fill(labels.uncertainty > params.ignore_above, UNLABELLED[labeler.head.kind])
            yield Drawn(
                np.array(part),
                to_arrays(images),
                values.cpu().numpy(),
                labels.scores.cpu().numpy(),
                labels.uncertainty.cpu().numpy(),
            )


def most_certain(scores: np.ndarray, drop_share: float, strata: np.ndarray | None = None) -> np.ndarray:
    """(N,) bool: all but the floor(N * drop_share) most uncertain; of equal scores the later number goes first.

    With strata (N,), a sample is ranked among those of its own stratum, so that each loses about the same share:
    else the classes that are easy to label would crowd out the others.
    """
    rank = scores if strata is None else _rank_within(scores, strata)
    order = np.argsort(rank, kind="stable")
    keep = np.ones(len(scores), bool)
    keep[order[len(scores) - dropped_count(len(scores), drop_share) :]] = False
    return keep


def _rank_within(scores: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """(N,) in (0, 1): the position of each score among those of its stratum."""
    rank = np.empty(len(scores))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        order = np.argsort(np.argsort(scores[rows], kind="stable"), kind="stable")
        rank[rows] = (order + 0.5) / len(rows)
    return rank
