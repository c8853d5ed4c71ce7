"""What the ensemble's outputs mean. A head is one kind of label; the ensemble and its fast form know nothing of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.common.spec import DatasetSpec
from stages.label.keypoint_head import KeypointHead
from stages.label.votes import Labels, image_score, jensen_shannon, majority_vote


class Head(Protocol):
    """One kind of label: what members learn of a pixel, their loss, and how what they say becomes a label."""

    kind: ClassVar[str]
    """The labels, as `stages.common.samples.Sample` calls them: mask, keypoints, depth or class_id."""
    whole: ClassVar[bool]
    """Whether it labels the image as a whole, which then counts as one pixel with the mean of each feature map."""
    start_std: ClassVar[float | None]
    """Deviation of the last layer's weights at the start; None: as of the other layers."""

    @property
    def outputs(self) -> int:
        """Numbers a pixel that a member gives."""
        ...

    def config(self) -> dict[str, Any]:
        """JSON values from which `head_from` makes the head again."""
        ...

    def strata(self, label: np.ndarray) -> np.ndarray:
        """(H, W) uint8: what the pixels of an image are balanced over when some are drawn to learn from; 255 = none."""
        ...

    def targets(self, label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """What is learnt of flat pixel indices (P,): (P,) or (P, T)."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(members, B, outputs) and (members, B) or (members, B, T) targets -> (members,) mean loss of each."""
        ...

    def combine(self, outputs: Tensor) -> Labels:
        """(members, ..., outputs) -> what the members say together of each pixel, and their disagreement (...)."""
        ...

    def score(self, said: Labels, share: float) -> Tensor:
        """(N,) how uncertain the labels of whole images are, from what `combine` says of all their pixels.

        share: of the pixels, the most uncertain ones, which alone count where pixels are labelled.
        """
        ...

    def finish(self, values: Tensor) -> Tensor:
        """What `combine` says of whole images, (N, H, W) or (N, H, W, T), as their labels."""
        ...


@dataclass(frozen=True)
class SegmentationHead:
    """One logit a class; cross-entropy; majority vote; Jensen-Shannon divergence between the members. Labels are masks
    (H, W) uint8."""

    outputs: int
    kind: ClassVar[str] = "mask"
    whole: ClassVar[bool] = False
    start_std: ClassVar[float | None] = None

    def config(self) -> dict[str, Any]:
        """The number of classes."""
        return {"outputs": self.outputs}

    def strata(self, label: np.ndarray) -> np.ndarray:
        """The classes."""
        return label

    def targets(self, label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(P,) int64 class ids."""
        return label.ravel()[pixels].astype(np.int64)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each member (members,)."""
        flat = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view(targets.shape).mean(dim=1)

    def combine(self, outputs: Tensor) -> Labels:
        """Class ids uint8, uncertainty in [0, log(members)] nats."""
        return Labels(majority_vote(outputs.argmax(dim=-1), self.outputs), jensen_shannon(outputs))

    def score(self, said: Labels, share: float) -> Tensor:
        """The mean uncertainty of the most uncertain share of the pixels."""
        return image_score(said.uncertainty, share)

    def finish(self, values: Tensor) -> Tensor:
        """The masks as they are."""
        return values


@dataclass(frozen=True)
class DepthHead:
    """The logarithm of the depth, by squared error, and a logit that it is known, by cross-entropy; mean and majority;
    variance of the members. Labels are depth (H, W), 0 = unknown."""

    outputs: int = 2
    kind: ClassVar[str] = "depth"
    whole: ClassVar[bool] = False
    start_std: ClassVar[float | None] = None

    def config(self) -> dict[str, Any]:
        """Nothing but the number of outputs."""
        return {"outputs": self.outputs}

    def strata(self, label: np.ndarray) -> np.ndarray:
        """1 where the depth is known."""
        return (label > 0).astype(np.uint8)

    def targets(self, label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(P,) float32 depth, 0 where it is unknown."""
        return label.ravel()[pixels].astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each member (members,): the squared error of the logarithm where it is known, and the cross-entropy."""
        known = (targets > 0).float()
        errors = (outputs[..., 0] - targets.clamp(min=1e-6).log()).square() * known
        entropy = F.binary_cross_entropy_with_logits(outputs[..., 1], known, reduction="none")
        return errors.sum(dim=1) / known.sum(dim=1).clamp(min=1) + entropy.mean(dim=1)

    def combine(self, outputs: Tensor) -> Labels:
        """Depth where most members know it, else 0; the variance of the logarithm there and of the shares that say
        known."""
        logs, shares = outputs[..., 0].float(), outputs[..., 1].float().sigmoid()
        known = shares.mean(dim=0) >= 0.5
        spread = logs.var(dim=0, unbiased=False) * known + shares.var(dim=0, unbiased=False)
        return Labels(torch.where(known, logs.mean(dim=0).exp(), 0.0), spread)

    def score(self, said: Labels, share: float) -> Tensor:
        """The mean uncertainty of the most uncertain share of the pixels."""
        return image_score(said.uncertainty, share)

    def finish(self, values: Tensor) -> Tensor:
        """The depth as it is."""
        return values


@dataclass(frozen=True)
class ClassHead(SegmentationHead):
    """One logit a class of images, cross-entropy and vote as for pixels; no image is of class 0. Labels are ids."""

    kind: ClassVar[str] = "class_id"
    whole: ClassVar[bool] = True

    def strata(self, label: np.ndarray) -> np.ndarray:
        """The one pixel that the image counts as."""
        return np.zeros((1, 1), np.uint8)

    def targets(self, label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(P,) int64 numbers of the logits."""
        return np.full(len(pixels), int(label) - 1, np.int64)

    def finish(self, values: Tensor) -> Tensor:
        """(N, 1, 1) numbers of logits to (N,) ids."""
        return values[:, 0, 0] + 1


HEADS: dict[str, Callable[..., Head]] = {
    head.kind: head for head in (SegmentationHead, KeypointHead, DepthHead, ClassHead)
}


def label_size(head: Head, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what is labelled of images of this size."""
    return (1, 1) if head.whole else size


def head_for(spec: DatasetSpec, sigma: float, least_peak: float = 0.0) -> Head:
    """The head for the labels that a dataset learns: classes of pixels or images, else keypoints, else depth.

    sigma, least_peak: of a `KeypointHead`.
    """
    if spec.labels == "image":
        return ClassHead(len(spec.foreground))
    if spec.classes:
        return SegmentationHead(len(spec.classes))
    return KeypointHead(spec.keypoints, spec.size, sigma, least_peak) if spec.keypoints else DepthHead()


def head_from(kind: str, config: dict[str, Any]) -> Head:
    """The head whose `kind` and `config` were stored."""
    return HEADS[kind](**{name: tuple(value) if isinstance(value, list) else value for name, value in config.items()})
