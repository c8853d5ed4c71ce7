"""What the networks that find keypoints by heat maps have in common."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.common.heatmaps import START_STD, decode, encode
from stages.common.pictures import mark_points
from stages.common.samples import SampleSet
from stages.common.spec import DatasetSpec
from stages.common.warp import in_frame, warp_keypoints
from stages.train.params import TrainParams
from stages.train.targets.base import Metric, Target

ENLARGE_BELOW = 128
SEEN = 2.0
MOST_WITHIN, WITHIN_SHARE = 5.0, 1 / 16  # pixels, and a share of the image's longer side


class KeypointTarget(Target):
    """Labels and predictions are (N, K, 3) float32: x, y in pixels of the image, and visibility.

    0, 0 is the middle of the first pixel. A keypoint of visibility 0 is unknown and counts neither in the loss nor in
    the scores. Outputs are heat maps (N, stacks, K, h, w).
    """

    task: ClassVar[str] = "keypoints"
    metric: ClassVar[Metric] = Metric("pck", "share of keypoints within N px", "PCK", True, range="0 to 1", part="pck/")

    def __init__(self, spec: DatasetSpec, params: TrainParams) -> None:
        super().__init__(spec, params)
        self.within_px = params.keypoints.within_px or min(MOST_WITHIN, max(spec.size) * WITHIN_SHARE)
        title = f"share of keypoints within {self.within_px:g} px"
        # What is shown has to name the distance, which the params alone know.
        self.metric = replace(self.metric, title=title)  # type: ignore[misc]

    def labels(self, samples: SampleSet) -> Tensor:
        """The keypoints, those outside of the image as unknown.

        Raises UserError when there are none or not as many as the dataset has, for a place that is no number, and where
        images are mirrored but nobody knows which keypoints trade places.
        """
        keypoints = torch.from_numpy(samples.require_keypoints()).float()
        if keypoints.shape[1] != self.spec.keypoints:
            raise UserError(
                f"a sample has {keypoints.shape[1]} keypoints, but the dataset {self.spec.keypoints}; "
                "correct the keypoints or their count in dataset.yaml and run prepare again"
            )
        if self.params.augment.flip and sorted(self.spec.flip) != list(range(self.spec.keypoints)):
            raise UserError(
                "train.augment.flip: mirrored images need to know which keypoints trade places; "
                "add keypoints.flip to dataset.yaml or set train.augment.flip to false"
            )
        known = keypoints[:, :, 2:] > 0
        if not keypoints[known.expand_as(keypoints)].isfinite().all():
            raise UserError("a known keypoint has a place that is no number; correct it or set its visibility to 0")
        # No heat map reaches a point outside of the image, in training it counts as unknown, and so it does here.
        return torch.where(known & in_frame(keypoints[:, :, :2], self.spec.size)[:, :, None], keypoints, 0.0)

    def warp(self, labels: Tensor, maps: Tensor) -> Tensor:
        """Keypoints moved with their images; those that leave the image become unknown.

        Where a map mirrors, each keypoint takes the place that `flip` of the dataset says.
        """
        return warp_keypoints(labels, maps, self.spec.size, self.spec.flip if self.params.augment.flip else ())

    def loss_terms(self, outputs: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        """Of each stack, `heat_map_1` and so on: the mean squared error of the known keypoints' heat maps."""
        size = (outputs.shape[3], outputs.shape[4])
        known = (labels[:, :, 2] > 0).float()
        places = torch.where(known[:, :, None] > 0, labels[:, :, :2], 0.0)  # of an unknown one it may be no number
        truth = encode(self._to_heat_map(places, size), size, self.params.keypoints.sigma)
        errors = (outputs.float() - truth[:, None]).square().mean(dim=(3, 4)) * known[:, None]
        terms = errors.sum(dim=(0, 2)) / known.sum().clamp(min=1)
        return {f"heat_map_{number}": term for number, term in enumerate(terms, start=1)}

    def predict(self, outputs: Tensor) -> Tensor:
        """The places of the peaks of the last stack's heat maps, all with visibility 2 (seen)."""
        maps = outputs[:, -1].float()
        scale = self._scale(maps, (maps.shape[2], maps.shape[3]))
        places = (decode(maps) + 0.5) / scale - 0.5
        return torch.cat([places, torch.full_like(places[:, :, :1], SEEN)], dim=2)

    def found(self, outputs: Tensor, least_peak: float) -> Tensor:
        """`predict`, with visibility 0 (unknown) where the peak of the last stack's heat map is below `least_peak`."""
        sure = outputs[:, -1].float().amax(dim=(2, 3)) >= least_peak
        return self.predict(outputs) * torch.where(sure[:, :, None], 1.0, outputs.new_tensor([1.0, 1.0, 0.0]))

    def _to_heat_map(self, places: Tensor, size: tuple[int, int]) -> Tensor:
        return (places + 0.5) * self._scale(places, size) - 0.5

    def _scale(self, like: Tensor, size: tuple[int, int]) -> Tensor:
        """Pixels of a heat map of `size` in one of the image, along x and y."""
        return like.new_tensor([size[1] / self.spec.size[1], size[0] / self.spec.size[0]])

    def scores(self, predictions: Tensor, labels: Tensor) -> dict[str, float]:
        """`pck` within `within_px` and `pck/<k>` of each keypoint (counted from 0), `pck_<d>px` for the thresholds,
        `distance_px`, the mean, and `nme`, the mean of each image's distances as a share of the diagonal of the box
        around its known keypoints. Raises UserError when no keypoint is known."""
        found = distances(predictions, labels)
        scores = keypoint_scores(found, self.within_px, self.params.keypoints.thresholds_px)
        return scores | {"nme": normalised_mean_error(found, labels)}

    def image_scores(self, predictions: Tensor, labels: Tensor) -> np.ndarray:
        """(N,) share of each image's known keypoints that are within `within_px`; nan where none is known."""
        found = distances(predictions, labels)
        known = (~found.isnan()).sum(dim=1)
        shares: np.ndarray = ((found <= self.within_px).sum(dim=1) / known).numpy()
        return shares

    def draw(self, images: np.ndarray, labels: Tensor) -> np.ndarray:
        """A dot a keypoint, a ring where it is hidden; images whose longer side is below 128 pixels are enlarged."""
        return mark_points(images, labels.numpy(), ENLARGE_BELOW)


def start_empty(layer: nn.Conv2d) -> None:
    """Let the layer that gives the heat maps start with maps near 0 (as Xiao et al., ECCV 2018, do).

    Most of a heat map is 0. From PyTorch's own start, the hourglass found 13 % of the keypoints of faces after 100
    updates, from this one 92 %; a pretrained pyramid ended its 700 updates with a larger loss than empty maps have.
    """
    nn.init.normal_(layer.weight, std=START_STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def distances(predictions: Tensor, labels: Tensor) -> Tensor:
    """(N, K) pixels between predicted and true keypoints (N, K, 3); nan where the true one is unknown."""
    apart = (predictions[:, :, :2] - labels[:, :, :2]).norm(dim=2)
    return torch.where(labels[:, :, 2] > 0, apart, torch.nan)


def keypoint_scores(found: Tensor, within: float, thresholds: Sequence[float]) -> dict[str, float]:
    """The scores of distances (N, K) in pixels, nan where they do not count; a keypoint that is nowhere known is left
    out. Raises UserError when none is known at all."""
    known = ~found.isnan()
    if not known.any():
        raise UserError("the keypoints to score against are all unknown: every visibility is 0")
    scores = {"pck": _share(found, known, within), "distance_px": float(found.nanmean())}
    scores |= {f"pck_{threshold:g}px": _share(found, known, threshold) for threshold in thresholds}
    there = known.any(dim=0).nonzero()[:, 0].tolist()
    return scores | {f"pck/{k}": _share(found[:, k], known[:, k], within) for k in there}


def normalised_mean_error(found: Tensor, labels: Tensor) -> float:
    """Mean over images of the mean distance (N, K) as a share of the diagonal of the box around the known keypoints of
    labels (N, K, 3); images whose known keypoints lie in one place do not count."""
    known = labels[:, :, 2:] > 0
    low = labels[:, :, :2].masked_fill(~known, torch.inf).amin(dim=1)
    high = labels[:, :, :2].masked_fill(~known, -torch.inf).amax(dim=1)
    diagonal = (high - low).norm(dim=1)
    counted = diagonal.isfinite() & (diagonal > 0)
    return float((found.nanmean(dim=1)[counted] / diagonal[counted]).mean())


def _share(found: Tensor, known: Tensor, within: float) -> float:
    return int((found <= within).sum()) / int(known.sum())
