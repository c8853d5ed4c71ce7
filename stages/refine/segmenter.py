"""A fixed segmenter, trained on simulated images alone: what it finds before and after refining tells whether labels
still fit. It never sees a refined image; noise, blur and light are varied so that a new look does not fool it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.cycle import Cycle
from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.spec import IGNORE, DatasetSpec
from stages.common.tensors import ImageBank
from stages.refine.params import ShiftParams

ORDER_STREAM, LOOK_STREAM, START_STREAM = 54, 55, 56
DILATIONS = (1, 1, 2, 4, 8, 1)


class Segmenter(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to class scores (N, classes, H, W); sees 35 pixels around each.

    followed: the classes whose place is watched, such as iris and pupil; empty for all but the background.
    """

    def __init__(self, channels: int, classes: int, width: int, followed: Sequence[int] = ()) -> None:
        super().__init__()
        self.followed = list(followed) or list(range(1, classes))
        widths = [channels, *[width] * len(DILATIONS)]
        layers: list[nn.Module] = []
        for inputs, outputs, dilation in zip(widths[:-1], widths[1:], DILATIONS, strict=True):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.network = nn.Sequential(*layers, nn.Conv2d(width, classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores before the softmax."""
        scores: Tensor = self.network(images)
        return scores

    def presence(self, images: Tensor) -> Tensor:
        """(N, H, W) probability, 0 to 1, that a pixel shows what is followed."""
        return self.network(images).softmax(dim=1)[:, self.followed].sum(dim=1)

    def shows(self, masks: Tensor) -> Tensor:
        """(N, H, W) bool: where masks of class ids show what is followed."""
        return torch.isin(masks, torch.tensor(self.followed, dtype=masks.dtype, device=masks.device))


def class_ids(spec: DatasetSpec, names: Sequence[str]) -> list[int]:
    """The ids of classes. Raises UserError for one that the data lacks."""
    for name in names:
        if name not in spec.classes[1:]:
            known = ", ".join(spec.classes[1:]) or "none"
            raise UserError(f"params.yaml: refine.shift.classes: {name} is not among the classes: {known}")
    return [spec.classes.index(name) for name in names]


def train_segmenter(
    images: ImageBank, masks: Tensor, classes: int, followed: Sequence[int], params: ShiftParams, seed: int
) -> Segmenter:
    """A segmenter in evaluation mode. masks: (N, H, W) uint8 on the CPU, 255 = ignore."""
    torch.manual_seed(seeded(seed, START_STREAM).initial_seed())
    first = images[:1]
    network = Segmenter(first.shape[1], classes, params.width, followed).to(first.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, params.learning_rate, params.steps)
    order = Cycle(np.arange(len(images)), seed, ORDER_STREAM)
    for step in range(params.steps):
        rows = torch.from_numpy(order.take(step * params.batch, params.batch))
        scores = network(vary_look(images[rows], seeded(seed, LOOK_STREAM, step)))
        loss = F.cross_entropy(scores, masks[rows].long().to(scores.device), ignore_index=IGNORE)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def vary_look(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] with random tone, contrast, light, blur and noise: all that refining may change.

    Contrast up to three times: against milder changes, refined photos look so new that what is found in them is wrong,
    and an error of the segmenter passes for a shift of the label.
    """
    draws = torch.rand(6, len(images), 1, 1, 1, generator=generator).to(images.device)
    tone, contrast, brightness, light, blur, noise = draws
    toned = ((images + 1) / 2).clamp(1e-3, 1) ** torch.exp(2 * tone - 1)
    mean = toned.mean(dim=(1, 2, 3), keepdim=True)
    lit = mean + (toned - mean) * (0.5 + 2.5 * contrast) + 0.4 * brightness - 0.2
    coarse = torch.randn(len(images), 1, 3, 4, generator=generator).to(images.device)
    lit = lit + 0.3 * light * F.interpolate(coarse, size=images.shape[2:], mode="bicubic", align_corners=False)
    soft = F.avg_pool2d(F.pad(lit, (1, 1, 1, 1), "replicate"), 3, 1)
    grain = torch.randn(images.shape, generator=generator).to(images.device)
    return (lit.lerp(soft, blur) + 0.1 * noise * grain).mul(2).sub(1).clamp(-1, 1)


@torch.no_grad()
def label_shift(segmenter: Segmenter, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """How far the labels of images moved: (N,) IoU of what is found of the followed classes, and (N,) pixels between
    the centres of it.

    before, after: (N, C, H, W) of the same samples. The centre is the mean position weighted by the probability, where
    that is above one half. An image in which nothing is found before and after has IoU 1 and shift 0.
    """
    first, second = segmenter.presence(before), segmenter.presence(after)
    both, either = ((op(first > 0.5, second > 0.5)).sum(dim=(1, 2)) for op in (torch.logical_and, torch.logical_or))
    iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
    distance = (_centre(first) - _centre(second)).norm(dim=1)
    return iou, torch.where(either > 0, distance, 0.0)


def _centre(weights: Tensor) -> Tensor:
    """(N, H, W) to (N, 2): x, y in pixels. Weights up to one half do not count: the background has many."""
    weights = weights * (weights > 0.5)
    height, width = weights.shape[1:]
    total = weights.sum(dim=(1, 2)).clamp(min=1e-6)
    x = (weights.sum(dim=1) * torch.arange(width, device=weights.device)).sum(dim=1) / total
    y = (weights.sum(dim=2) * torch.arange(height, device=weights.device)).sum(dim=1) / total
    return torch.stack([x, y], dim=1)
