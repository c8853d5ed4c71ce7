"""What a target is: one kind of model that users train on a labelled set. One file a target, listed in `__init__`."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.train.params import TrainParams


class Target(ABC):
    """Builds a network, says what it minimises, what it predicts and how good that is.

    Images are (N, C, H, W) float32 in [-1, 1]. The form of labels and predictions is the target's own; their first
    axis counts samples.
    """

    name: ClassVar[str]
    """What `train.target` of params.yaml calls it."""
    selection: ClassVar[str]
    """The score that selects the best weights; higher is better."""

    def __init__(self, spec: DatasetSpec, params: TrainParams) -> None:
        self.spec, self.params = spec, params

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError when something it needs cannot be imported."""

    @abstractmethod
    def labels(self, samples: SampleSet) -> Tensor:
        """The labels of a set, on the CPU. Raises UserError when the set has none, or has wrong ones."""

    @abstractmethod
    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """The labels of images that were sampled through (N, 2, 3) affine maps from output to input."""

    def balance(self, labels: Tensor) -> Tensor | None:
        """Weights of the classes in the loss, from all training labels; None when all weigh the same."""
        return None

    @abstractmethod
    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """The terms of the loss by name, each a mean over the batch; the loop minimises their sum."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """What the network's outputs mean, in the form of the labels."""

    @abstractmethod
    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """Scores by name, `selection` among them, pooled over the samples. Both on the CPU."""
