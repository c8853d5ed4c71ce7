"""What the ensemble's outputs mean. A head is one kind of label; the ensemble and its fast form know nothing of it."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Labels:
    """values: the label of every pixel (..., H, W). uncertainty: (..., H, W) float32 >= 0."""

    values: Tensor
    uncertainty: Tensor


class Head(Protocol):
    """One kind of label: its outputs a pixel, its training loss, and how members are combined.

    Segmentation is one; keypoints (heat maps, L2, mean) and depth (one output, L2, mean) fit the same three members.
    """

    @property
    def outputs(self) -> int:
        """Numbers a pixel that a member gives."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(members, B, outputs) and (members, B) targets -> (members,) mean loss of each."""
        ...

    def combine(self, outputs: Tensor) -> Labels:
        """(members, ..., outputs) -> labels and disagreement of the members, (...) each."""
        ...


@dataclass(frozen=True)
class SegmentationHead:
    """One logit a class; cross-entropy; majority vote; Jensen-Shannon divergence between the members."""

    outputs: int

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each member (members,)."""
        flat = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view(targets.shape).mean(dim=1)

    def combine(self, outputs: Tensor) -> Labels:
        """Labels uint8, uncertainty in [0, log(members)] nats."""
        return Labels(majority_vote(outputs.argmax(dim=-1), self.outputs), jensen_shannon(outputs))


def majority_vote(votes: Tensor, classes: int) -> Tensor:
    """votes (members, ...) int64 -> (...) uint8: the most frequent class, the lowest of equals."""
    counts = torch.stack([(votes == c).sum(dim=0) for c in range(classes)])
    return counts.argmax(dim=0).to(torch.uint8)


def jensen_shannon(logits: Tensor) -> Tensor:
    """logits (members, ..., classes) -> (...): entropy of the mean minus mean of the entropies, in nats."""
    log_p = F.log_softmax(logits.float(), dim=-1)
    mean_entropy = -(log_p.exp() * log_p).sum(dim=-1).mean(dim=0)
    log_mean = torch.logsumexp(log_p, dim=0) - math.log(len(logits))
    entropy_of_mean = -(log_mean.exp() * log_mean).sum(dim=-1)
    return (entropy_of_mean - mean_entropy).clamp_min(0)


def image_score(uncertainty: Tensor, share: float = 0.1) -> Tensor:
    """(N, H, W) -> (N,): the mean of the most uncertain `share` of the pixels."""
    flat = uncertainty.flatten(1)
    return flat.topk(max(1, round(flat.shape[1] * share)), dim=1).values.mean(dim=1)
