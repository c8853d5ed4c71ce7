"""What a target is: one kind of model that users train on a labelled set. One file a target, listed in `__init__`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.train.params import TrainParams


@dataclass(frozen=True)
class Metric:
    """The score that decides, and how to speak of it.

    name: as in `target/<name>`. title: `mean IoU`. short: `mIoU`. unit: as written behind a value, or empty. range:
    what values it takes, as `0 to 1`. part: start of the names of its parts, one a class or keypoint, as `iou/`; empty
    for none. digits: behind the point.
    """

    name: str
    title: str
    short: str
    higher_is_better: bool
    unit: str = ""
    range: str = ""
    part: str = ""
    digits: int = 3

    def better(self, value: float, than: float) -> bool:
        """Whether one value is better than another."""
        return value > than if self.higher_is_better else value < than


class Target(ABC):
    """Builds a network, says what it minimises, what it predicts and how good that is.

    Images are (N, C, H, W) float32 in [-1, 1]. The form of labels and predictions is the target's own; their first
    axis counts samples.
    """

    name: ClassVar[str]
    """What `train.target` of params.yaml calls it."""
    task: ClassVar[str]
    """What kind of labels it learns: `segmentation`, `gaze`, `keypoints`, `depth`, `classification`, `detection`."""
    loss_while_frozen: ClassVar[bool] = True
    """Whether `loss_terms` takes what the network gives in evaluation mode; compositing learns from such losses."""
    metric: ClassVar[Metric]
    """The score that selects the best weights and compares recipes."""
    exportable: ClassVar[bool] = True
    """Whether `torch.export` can trace its network for batches of any size."""

    def __init__(self, spec: DatasetSpec, params: TrainParams) -> None:
        self.spec, self.params = spec, params

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError when something it needs cannot be imported."""

    def blank(self) -> nn.Module:
        """The network that trained weights are loaded into, where fresh ones would have to be read or fetched."""
        return self.build()

    def rate_share(self, name: str) -> float:
        """Step size of the weights of this name in the network, as a share of `train.learning_rate`."""
        return 1.0

    @abstractmethod
    def labels(self, samples: SampleSet) -> Tensor:
        """The labels of a set, on the CPU. Raises UserError when the set has none, or has wrong ones."""

    @abstractmethod
    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """The labels of images that were sampled through (N, 2, 3) affine maps from output to input."""

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """The labels of two sets of samples, one after the other."""
        return torch.cat([first, second])

    def balance(self, labels: Tensor) -> Tensor | None:
        """Weights of the classes in the loss, from all training labels; None when all weigh the same."""
        return None

    @abstractmethod
    def loss_terms(self, outputs: Any, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """The terms of the loss by name, each a mean over the batch; the loop minimises their sum.

        outputs: what the network gives in training mode; `predict` gets what it gives in evaluation mode.
        """

    def losses_each(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """(N,) the loss of each image alone. Only where `loss_while_frozen`: outputs in evaluation mode."""
        pairs = zip(outputs.split(1), labels.split(1), strict=True)
        return torch.stack([torch.stack(list(self.loss_terms(*p, weights).values())).sum() for p in pairs])

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """What the network's outputs mean, in the form of the labels."""

    @abstractmethod
    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """Scores by name, that of `metric` among them, pooled over the samples. Both on the CPU."""

    @abstractmethod
    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) the score of `metric` of each image alone; nan where there is none."""

    @abstractmethod
    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """(N, H', W', 3) uint8: the images (N, H, W, C) uint8 with labels or predictions drawn on them."""
