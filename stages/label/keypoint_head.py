"""The head for keypoints."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from stages.common.heatmaps import START_STD, decode, encode
from stages.label.votes import Labels

SEEN = 2.0
NEAR = 2.0  # deviations of the Gaussian around a keypoint within which a pixel counts as near to it


@dataclass(frozen=True)
class KeypointHead:
    """One heat map a keypoint, with a Gaussian of height 1; squared error; mean; variance of the members (DatasetGAN,
    Zhang et al., CVPR 2021). Labels are keypoints (K, 3).

    The variance shows where members differ, but not how sure they are: it falls with the square of the maps' height, so
    that it is least where no member finds anything. An image is scored by the height of the mean maps' peaks instead.

    Members start with nearly empty maps. From the start of the other heads, 1000 steps on 50 labelled faces ended with
    a larger loss than empty maps have, and keypoints held out were 4.06 pixels off in the mean instead of 1.55.

    size: (H, W) of the images. sigma: deviation of the Gaussian in pixels. least_peak: height of the mean map's peak
    below which a keypoint is unknown, as one that the image does not show.
    """

    outputs: int
    size: tuple[int, int]
    sigma: float
    least_peak: float = 0.0
    kind: ClassVar[str] = "keypoints"
    whole: ClassVar[bool] = False
    start_std: ClassVar[float | None] = START_STD

    def config(self) -> dict[str, Any]:
        """Number of keypoints, image size, deviation and least peak."""
        return {
            "outputs": self.outputs,
            "size": list(self.size),
            "sigma": self.sigma,
            "least_peak": self.least_peak,
        }

    def strata(self, label: np.ndarray) -> np.ndarray:
        """1 + number of the keypoint (of many, modulo 254) that a pixel is near to; 0 far from all."""
        maps = self._maps(label)
        nearest = maps.argmax(axis=0) % 254 + 1
        return np.where(maps.max(axis=0) >= math.exp(-(NEAR**2) / 2), nearest, 0).astype(np.uint8)

    def targets(self, label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(P, K) float32 values of the heat maps, nan for a keypoint that is unknown."""
        found = self._maps(label).reshape(len(label), -1)[:, pixels].T.copy()
        found[:, label[:, 2] == 0] = np.nan
        return found

    def _maps(self, label: np.ndarray) -> np.ndarray:
        """(K, H, W); all 0 for a keypoint that is unknown."""
        maps = encode(torch.from_numpy(label[None, :, :2]).float(), self.size, self.sigma)[0].numpy()
        return np.where(label[:, 2, None, None] > 0, maps, 0.0).astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of each member (members,), of the keypoints that are known."""
        known = ~targets.isnan()
        errors = (outputs - targets.nan_to_num()).square() * known
        return errors.sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1)

    def combine(self, outputs: Tensor) -> Labels:
        """Mean heat maps (..., K); the variance between the members, summed over the keypoints."""
        return Labels(outputs.float().mean(dim=0), outputs.float().var(dim=0, unbiased=False).sum(dim=-1))

    def score(self, said: Labels, share: float) -> Tensor:
        """What the peaks of the mean maps lack to 1, mean over keypoints, 0 to 1: it grows where members see a keypoint
        in different places, or see it nowhere for sure."""
        return 1 - said.values.amax(dim=(1, 2)).clamp(0, 1).mean(dim=1)

    def finish(self, values: Tensor) -> Tensor:
        """(N, K, 3): the places of the peaks, seen where these are high enough, else unknown."""
        maps = values.movedim(3, 1).contiguous()
        seen = SEEN * (maps.amax(dim=(2, 3)) >= self.least_peak)
        return torch.cat([decode(maps), seen[:, :, None]], dim=2)
