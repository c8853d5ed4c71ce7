"""Do two piles of images look alike? A fresh classifier is asked to tell them apart; at chance, they do.

The classifier two-sample test of Lopez-Paz and Oquab (ICLR 2017).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.cycle import Cycle
from stages.common.device import seeded
from stages.common.tensors import ImageBank
from stages.refine.params import TwoSampleParams

SPLIT_STREAM, ORDER_STREAM, START_STREAM, LEVEL = 57, 58, 59, 0.95


@dataclass(frozen=True)
class Distinguished:
    """Share of held-out images that the classifier puts in the right pile, with the ends of its 95 % interval.

    images: how many were held out, half of each pile, so that chance is 0.5.
    """

    accuracy: float
    low: float
    high: float
    images: int


def distinguish(first: ImageBank, second: ImageBank, params: TwoSampleParams, seed: int) -> Distinguished:
    """Train on one half of each pile, test on the other; the larger pile is cut to the size of the smaller."""
    count = min(len(first), len(second), params.images)
    halves = [torch.randperm(len(pile), generator=seeded(seed, SPLIT_STREAM))[:count] for pile in (first, second)]
    half = count // 2
    network = _train([first, second], [rows[:half] for rows in halves], params, seed)
    held_out = [rows[half : 2 * half] for rows in halves]
    right = sum(
        _right(network, pile[rows], label)
        for label, (pile, rows) in enumerate(zip((first, second), held_out, strict=True))
    )
    return interval(right, 2 * half)


def interval(right: int, images: int) -> Distinguished:
    """The exact (Clopper-Pearson) interval of a share."""
    from scipy.stats import binomtest

    found = binomtest(right, images).proportion_ci(LEVEL)
    return Distinguished(right / images, float(found.low), float(found.high), images)


def _train(piles: list[ImageBank], rows: list[Tensor], params: TwoSampleParams, seed: int) -> nn.Module:
    torch.manual_seed(seeded(seed, START_STREAM).initial_seed())
    first = piles[0][:1]
    network = _classifier(first.shape[1], params.width).to(first.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, params.learning_rate, params.steps)
    half = params.batch // 2
    orders = [Cycle(np.arange(len(part)), seed, ORDER_STREAM, label) for label, part in enumerate(rows)]
    labels = torch.arange(2).repeat_interleave(half).to(first.device)
    for step in range(params.steps):
        chosen = [
            part[torch.from_numpy(order.take(step * half, half))] for part, order in zip(rows, orders, strict=True)
        ]
        images = torch.cat([pile[index] for pile, index in zip(piles, chosen, strict=True)])
        loss = F.cross_entropy(network(_moved(images, seeded(seed, ORDER_STREAM, step))), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def _moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """All shifted by the same random pixel or none, so that the classifier learns no positions by heart."""
    down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
    return images.roll((down, right), dims=(2, 3))


def _classifier(channels: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((channels, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)):
        convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * width, 2))


@torch.no_grad()
def _right(network: nn.Module, images: Tensor, label: int, batch: int = 256) -> int:
    return sum(int((network(part).argmax(dim=1) == label).sum()) for part in images.split(batch))
