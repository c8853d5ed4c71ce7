"""What members that differ say together: the class by vote, how far they disagree, the score of an image."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Labels:
    """values: the labels, in what form the head says. uncertainty: (..., H, W) float32 >= 0."""

    values: Tensor
    uncertainty: Tensor


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
