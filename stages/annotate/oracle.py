"""An oracle in place of a person, for digits: a classifier says which digit an image shows, the rules of `prepare` make
the labels of its ink.

It is trained on digits that are in no other labelled set but `full`, and is named an oracle wherever its annotations
are used.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.annotate.params import OracleParams
from stages.common.device import seeded
from stages.common.masks import main_class
from stages.common.samples import SampleSet
from stages.common.tensors import ImageBank, to_images
from stages.common.warp import random_affine, warp_images
from stages.prepare.ink import INK, ink_depth, ink_keypoints, ink_mask

LEVELS = 3
BATCH = 256


class DigitClassifier(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to scores (N, classes)."""

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        widths = [channels, *(width * 2**level for level in range(LEVELS))]
        self.features = nn.Sequential(*(_level(i, o) for i, o in itertools.pairwise(widths)))
        self.scores = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores before the softmax, from the highest value of each map."""
        scores: Tensor = self.scores(self.features(images).amax(dim=(2, 3)))
        return scores


def _level(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        convolution = nn.Conv2d(width, outputs, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=True))


def classes_of(samples: SampleSet) -> np.ndarray:
    """(N,) int64: the digit of each image, 0 to 9, by its mask."""
    return np.array([main_class(mask) for mask in samples.require_masks()]) - 1


def train_oracle(
    samples: SampleSet, params: OracleParams, seed: int, device: torch.device
) -> tuple[DigitClassifier, float]:
    """The classifier, and the share of the held-out images whose digit it finds."""
    digits = classes_of(samples)
    order = np.random.default_rng([seed, 34]).permutation(len(digits))
    held, rest = np.split(order, [max(1, round(params.held_out * len(order)))])
    torch.manual_seed(seeded(seed, 35).initial_seed())
    network = DigitClassifier(samples.images.shape[3], int(digits.max()) + 1, params.width).to(device)
    bank, targets = ImageBank(samples.images[rest], device), torch.from_numpy(digits[rest])
    optimiser = torch.optim.Adam(network.parameters(), lr=params.learning_rate)
    for step in range(params.steps):
        generator = seeded(seed, 36, step)
        rows = torch.randint(len(bank), (params.batch,), generator=generator)
        maps = random_affine(params.batch, samples.images.shape[1:3], params.affine, generator)
        loss = F.cross_entropy(network(warp_images(bank[rows], maps)), targets[rows].to(device))
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * (1 - step / params.steps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    network.eval().requires_grad_(False)
    return network, float((digits_in(network, samples.images[held]) == digits[held]).mean())


@torch.no_grad()
def digits_in(network: DigitClassifier, images: np.ndarray) -> np.ndarray:
    """(N,) the digit that the classifier sees in each of (N, H, W, C) uint8 images."""
    device = next(network.parameters()).device
    parts = [network(to_images(images[i : i + BATCH]).to(device)).argmax(dim=1) for i in range(0, len(images), BATCH)]
    return torch.cat(parts).cpu().numpy()


def oracle_labels(kind: str, images: np.ndarray, digits: np.ndarray | None) -> np.ndarray:
    """Labels of (N, H, W, C) uint8 images by the rules for ink: masks, keypoints or depth.

    digits: (N,), for masks alone.
    """
    grey = images[:, :, :, 0]
    if kind == "mask":
        assert digits is not None
        return np.stack([ink_mask(image, int(digit)) for image, digit in zip(grey, digits, strict=True)])
    rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {"keypoints": ink_keypoints, "depth": ink_depth}
    return np.stack([rules[kind](image >= INK) for image in grey])
