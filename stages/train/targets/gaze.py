"""Where an eye looks: the convolutional network of SimGAN's gaze experiments (Shrivastava et al., 2017, supplement)."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.common.gaze import vectors_of
from stages.common.pictures import arrows
from stages.common.samples import SampleSet
from stages.train.targets.base import Metric, Target

WITHIN = 7.0  # degrees, the article's threshold


class GazeNetwork(nn.Module):
    """Images (N, C, H, W) to directions (N, 3), not normalised. No padding: sides of 20 pixels or more, one size."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(channels, 32),
            *_convolution(32, 32),
            *_convolution(32, 64),
            nn.MaxPool2d(3, 2),
            *_convolution(64, 80),
            *_convolution(80, 192),
            nn.MaxPool2d(2, 2),
            nn.Flatten(),
        )
        with torch.no_grad():
            count = self.features(torch.zeros(1, channels, *size)).shape[1]
        self.regressor = nn.Sequential(nn.Linear(count, 1000), nn.ReLU(inplace=True), nn.Linear(1000, 3))

    def forward(self, images: Tensor) -> Tensor:
        """The directions."""
        directions: Tensor = self.regressor(self.features(images))
        return directions


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True)]


class GazeTarget(Target):
    """Labels and predictions are unit vectors (N, 3): x right, y down, z away from the camera."""

    name = "gaze_cnn"
    task: ClassVar[str] = "gaze"
    metric: ClassVar[Metric] = Metric(
        "gaze_deg", "mean angle between true and found gaze", "gaze error", False, unit="°", digits=2
    )

    def build(self) -> nn.Module:
        """The network with fresh weights. Raises UserError for images that its layers would shrink to nothing."""
        if min(self.spec.size) < 20:
            raise UserError(f"train.target {self.name}: images of {self.spec.size} pixels; it needs 20 a side or more")
        return GazeNetwork(self.spec.channels, self.spec.size)

    def labels(self, samples: SampleSet) -> Tensor:
        """The directions. Raises UserError when the set has none."""
        return torch.from_numpy(vectors_of(samples.require_gaze())).float()

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """Directions turned and mirrored like their images; zoom, shear and shift leave them as they are."""
        height, width = self.spec.size
        side = torch.tensor([width, height], dtype=maps.dtype, device=maps.device)
        pixels = maps[:, :, :2] * side[:, None] / side
        left, _, right = torch.linalg.svd(torch.linalg.inv(pixels))
        turn = (left @ right).to(labels.device, labels.dtype)
        return torch.cat([(turn @ labels[:, :2, None])[:, :, 0], labels[:, 2:]], dim=1)

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """`euclidean`: half the squared distance to the unit vector, mean over the batch."""
        return {"euclidean": (outputs.float() - labels).square().sum(dim=1).mean() / 2}

    def predict(self, outputs: Tensor) -> Tensor:
        """The directions at length 1."""
        return nn.functional.normalize(outputs.float(), dim=1)

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """`gaze_deg`, the mean angle in degrees, and `within_7deg`, the share of images with at most 7 degrees."""
        errors = angles_between(predictions, labels)
        return {"gaze_deg": float(errors.mean()), "within_7deg": float((errors <= WITHIN).double().mean())}

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) degrees."""
        return angles_between(predictions, labels).numpy()

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """Arrows from the middle of each image, enlarged, towards where the eye looks."""
        return arrows(images, labels.numpy())


def angles_between(first: Tensor, second: Tensor) -> Tensor:
    """(N,) degrees between vectors (N, 3) of length 1, in float64: near 1 the arc cosine needs it."""
    first, second = first.double(), second.double()
    sine = torch.linalg.cross(first, second).norm(dim=1)
    return torch.rad2deg(torch.atan2(sine, (first * second).sum(dim=1)))
