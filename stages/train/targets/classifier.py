"""Which class a whole image is of: a small convolutional network for small images."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.errors import UserError
from stages.common.pictures import framed
from stages.common.samples import SampleSet
from stages.train.params import ClassifierParams
from stages.train.targets.base import Metric, Target

ENLARGE_BELOW = 64


class Classifier(nn.Module):
    """Images (N, C, H, W) of any size to class scores (N, classes)."""

    def __init__(self, channels: int, classes: int, params: ClassifierParams) -> None:
        super().__init__()
        widths = [params.width * 2**level for level in range(params.poolings)]
        inputs = [channels, *widths[:-1]]
        self.features = nn.Sequential(*(_block(i, o) for i, o in zip(inputs, widths, strict=True)))
        self.head = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(widths[-1], classes))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores before the softmax, from the mean of the features over the image."""
        scores: Tensor = self.head(self.features(images).mean(dim=(2, 3)))
        return scores


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        convolution = nn.Conv2d(width, outputs, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=True))


class ClassifierTarget(Target):
    """Labels and predictions are class ids (N,) int64 from 1 on; column k of the outputs is class k + 1."""

    name = "classifier"
    task: ClassVar[str] = "classification"
    metric: ClassVar[Metric] = Metric("accuracy", "accuracy", "accuracy", True, range="0 to 1", part="accuracy/")

    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError for data with fewer than two classes of images."""
        if len(self.spec.foreground) < 2:
            raise UserError("train.target classifier: dataset.yaml names fewer than two classes besides the first one")
        return Classifier(self.spec.channels, len(self.spec.foreground), self.params.classifier)

    def labels(self, samples: SampleSet) -> Tensor:
        """The class ids. Raises UserError when an image has none, or one that is no class."""
        found = samples.require_class_ids()
        wrong = found[~np.isin(found, self.spec.foreground)]
        if len(wrong):
            raise UserError(
                f"an image has class id {wrong[0]}, but the classes are 1 to {len(self.spec.foreground)}; "
                "correct labels.csv or the classes of dataset.yaml and run prepare again"
            )
        return torch.tensor(found)

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """The same classes: moving an image does not change what it shows."""
        return labels

    def balance(self, labels: Tensor) -> Tensor | None:
        """Inverse root of each class's share of the images, scaled to a mean of 1 over these images."""
        if self.params.class_weights == "none":
            return None
        counts = torch.bincount(labels - 1, minlength=len(self.spec.foreground)).float()
        weights = torch.where(counts > 0, counts.clamp(min=1).rsqrt(), 0.0)
        return weights * counts.sum() / (weights * counts).sum()

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """The mean `cross_entropy`."""
        smoothing = self.params.label_smoothing
        total = F.cross_entropy(outputs.float(), labels - 1, weights, label_smoothing=smoothing, reduction="sum")
        return {"cross_entropy": total / len(labels)}

    def predict(self, outputs: Tensor) -> Tensor:
        """The class of the highest score."""
        return outputs.argmax(dim=1) + 1

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """`accuracy`, and `accuracy/<class>`: of the images of a class, the share that is found to be of it."""
        right = (predictions == labels).double()
        there = [index for index in self.spec.foreground if (labels == index).any()]
        by_class = {f"accuracy/{self.spec.classes[i]}": float(right[labels == i].mean()) for i in there}
        return {"accuracy": float(right.mean()), **by_class}

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) 1 where the class is right, 0 where it is not."""
        return (predictions == labels).double().numpy()

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """A frame in the colour of the class."""
        return framed(images, labels.numpy(), len(self.spec.classes), ENLARGE_BELOW)
