"""How far what each pixel shows is away, by the small U-Net."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.common.pictures import depth_maps
from stages.common.samples import SampleSet
from stages.common.warp import warp_depth
from stages.train.targets.base import Metric, Target
from stages.train.targets.unet import UNet

LEAST = 1e-6  # of what is known; logarithms need it


class DepthTarget(Target):
    """Labels and predictions are depth (N, H, W) float32 in the unit of the data, 0 = unknown, which counts neither in
    the loss nor in the scores. Outputs (N, 1, H, W) are logarithms of the depth."""

    name = "depth_unet"
    task: ClassVar[str] = "depth"
    metric: ClassVar[Metric] = Metric("absrel", "mean relative error of the depth", "AbsRel", False, range="0 or more")

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return UNet(self.spec.channels, 1, self.params.unet)

    def labels(self, samples: SampleSet) -> Tensor:
        """The depth. Raises UserError when there is none, or a value that is negative or no number."""
        if samples.depth is None:
            raise UserError("this set lacks depth; put depth/<stem>.png beside images/ of your data folder")
        if not (np.isfinite(samples.depth) & (samples.depth >= 0)).all():
            raise UserError("a depth is negative or no number; correct it, or set it to 0 where it is unknown")
        return torch.from_numpy(samples.depth).float()

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """Depth moved with its images; unknown where less than half of what a pixel takes from is known."""
        return warp_depth(labels, maps.to(labels.device))

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """`log_l1`: the mean distance of the logarithms, over the known pixels of the batch."""
        known = labels > 0
        return {"log_l1": (self._log_errors(outputs, labels) * known).sum() / known.sum().clamp(min=1)}

    def losses_each(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """(N,) the loss of each image alone."""
        known = (labels > 0).flatten(1)
        return (self._log_errors(outputs, labels).flatten(1) * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)

    @staticmethod
    def _log_errors(outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs[:, 0].float() - labels.clamp(min=LEAST).log()).abs()

    def predict(self, outputs: Tensor) -> Tensor:
        """The depth of every pixel."""
        return outputs[:, 0].float().exp()

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """Over all known pixels (Eigen et al., NeurIPS 2014): `absrel`, the mean relative error; `rmse` in the unit of
        the data; `rmse_log`; and `scale_invariant`, the deviation of the logarithms' difference within an image, mean
        over images. Raises UserError when no depth is known."""
        known = labels > 0
        if not known.any():
            raise UserError("the depth to score against is unknown everywhere: every value is 0")
        found, true = predictions[known].double().clamp(min=LEAST), labels[known].double()
        logs = found.log() - true.log()
        return {
            "absrel": float(((found - true).abs() / true).mean()),
            "rmse": float((found - true).square().mean().sqrt()),
            "rmse_log": float(logs.square().mean().sqrt()),
            "scale_invariant": float(np.nanmean(scale_invariant_errors(predictions, labels))),
        }

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) mean relative error of each image alone; nan where nothing is known."""
        known = (labels > 0).flatten(1)
        errors = ((predictions - labels).abs() / labels.clamp(min=LEAST)).flatten(1) * known
        shares: np.ndarray = (errors.sum(dim=1) / known.sum(dim=1)).numpy()
        return shares

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """The depth in place of the images: near yellow, far dark red, unknown grey, each with a scale of its own."""
        return depth_maps(labels.numpy())


def scale_invariant_errors(predictions: Tensor, labels: Tensor) -> np.ndarray:
    """(N,) deviation, over the known pixels of each image, of log prediction minus log depth: 0 for a prediction that
    is right up to a factor. nan where nothing is known."""
    known = (labels > 0).flatten(1)
    logs = (predictions.clamp(min=LEAST).double().log() - labels.clamp(min=LEAST).double().log()).flatten(1) * known
    count = known.sum(dim=1)
    variance = logs.square().sum(dim=1) / count - (logs.sum(dim=1) / count).square()
    deviation: np.ndarray = variance.clamp(min=0).sqrt().numpy()
    return deviation
