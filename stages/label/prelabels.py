"""Labels of images that nobody labelled: inverted into the GAN, labelled there, with how far to trust each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from stages.common.tensors import ImageBank, to_arrays
from stages.invert.encoder import Encoder
from stages.invert.inversion import invert
from stages.invert.losses import Distance, Weights
from stages.invert.params import InvertParams
from stages.label.labelling import AT_ONCE, LabelGenerator

OnStep = Callable[[int, dict[str, Tensor]], None]


@dataclass(frozen=True)
class Models:
    """What labels a real image: encoder, distance and params of the inversion, and the label generator.

    median: reconstruction error of the labelled images and their moved views, the measure of others.
    """

    encoder: Encoder
    distance: Distance
    params: InvertParams
    labeler: LabelGenerator
    median: float


@dataclass(frozen=True)
class Prelabels:
    """N images and what was found.

    images, remade: (N, H, W, C) uint8, each image, and the reconstruction that was labelled in its place. labels: N, in
    the form of the head's. uncertainty: (N, H, W) float16 >= 0, of a class of the whole image the same everywhere.
    score: (N,), how uncertain the label is, as the head says. error: (N,), of the reconstruction. flagged: (N,)
    bool, the images that the GAN cannot draw.
    """

    images: np.ndarray
    remade: np.ndarray
    labels: np.ndarray
    uncertainty: np.ndarray
    score: np.ndarray
    error: np.ndarray
    flagged: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def taken(self, rows: np.ndarray) -> "Prelabels":
        """The same of some rows, in their order."""
        return Prelabels(*(getattr(self, name)[rows] for name in Prelabels.__dataclass_fields__))

    def order(self) -> np.ndarray:
        """(N,) rows, those that a person should look at first in front: flagged ones, then by falling score."""
        return np.lexsort((-self.score, ~self.flagged))


def prelabel(models: Models, images: ImageBank, on_step: OnStep) -> Prelabels:
    """Invert and label images, `invert.optimise.batch` at once; `on_step` gets the number of steps done over all."""
    batch, steps = models.params.optimise.batch, models.params.optimise.steps
    starts = range(0, len(images), batch)
    parts = [
        _prelabel(models, images[start : start + batch], _after(number * steps, on_step))
        for number, start in enumerate(starts)
    ]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Prelabels(images=images.arrays, **found)


def _after(done: int, on_step: OnStep) -> OnStep:
    return lambda step, terms: on_step(done + step, terms)


def _prelabel(models: Models, images: Tensor, on_step: OnStep) -> dict[str, np.ndarray]:
    """One batch, all of `Prelabels` but the images."""
    params = models.params
    weights = Weights.of(params.optimise)
    result = invert(
        models.labeler.generator, models.encoder, images, models.distance, weights, params.optimise, on_step
    )
    drawn, values, maps, scores = [], [], [], []
    for ws in result.ws.split(AT_ONCE):
        remade, labels = models.labeler(ws)
        drawn.append(to_arrays(remade))
        values.append(labels.values.cpu().numpy())
        maps.append(labels.uncertainty.expand(-1, *remade.shape[2:]).half().cpu().numpy())
        scores.append(labels.scores.cpu().numpy())
    found = {"remade": drawn, "labels": values, "uncertainty": maps, "score": scores}
    return {name: np.concatenate(part) for name, part in found.items()} | {
        "error": result.error.cpu().numpy(),
        "flagged": result.flagged(params.reject_above, models.median).cpu().numpy(),
    }
