"""The stacked hourglass network (Newell et al., ECCV 2016)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.train.params import HourglassParams
from stages.train.targets.keypoints import KeypointTarget, start_empty

STEM_STRIDE = 4


class Residual(nn.Module):
    """Bottleneck with normalisation and ReLU before each convolution: 1x1 to half the outputs, 3x3, 1x1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.layers = nn.Sequential(
            *_activated(inputs, half, kernel=1), *_activated(half, half, kernel=3), *_activated(half, outputs, kernel=1)
        )
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        result: Tensor = self.skip(features) + self.layers(features)
        return result


def _activated(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution]


class Hourglass(nn.Module):
    """Features (N, width, H, W) to the same shape, seen at `depth` halved resolutions and at their own."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.beside, self.down, self.up = (Residual(width, width) for _ in range(3))
        self.inner: nn.Module = Hourglass(width, depth - 1) if depth > 1 else Residual(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """The features, mixed over all resolutions. Odd sides are rounded up on the way down."""
        low = self.down(F.max_pool2d(features, 2, ceil_mode=True))
        raised = F.interpolate(self.up(self.inner(low)), scale_factor=2, mode="nearest")
        mixed: Tensor = self.beside(features) + raised[:, :, : features.shape[2], : features.shape[3]]
        return mixed


class Stack(nn.Module):
    """One hourglass with its heat maps, and what the next one starts from (none behind the last)."""

    def __init__(self, width: int, depth: int, keypoints: int, last: bool) -> None:
        super().__init__()
        convolution = nn.Conv2d(width, width, 1, bias=False)
        norm = nn.BatchNorm2d(width)
        self.features = nn.Sequential(
            Hourglass(width, depth), Residual(width, width), convolution, norm, nn.ReLU(inplace=True)
        )
        self.heat_maps = nn.Conv2d(width, keypoints, 1)
        start_empty(self.heat_maps)
        self.remap = None if last else nn.ModuleList(nn.Conv2d(n, width, 1, bias=False) for n in (width, keypoints))

    def forward(self, start: Tensor) -> tuple[Tensor, Tensor]:
        """What the next stack starts from, and heat maps (N, K, H, W)."""
        features = self.features(start)
        maps: Tensor = self.heat_maps(features)
        if self.remap is None:
            return start, maps
        return start + self.remap[0](features) + self.remap[1](maps), maps


class StackedHourglass(nn.Module):
    """Images (N, C, H, W) of any size to heat maps (N, stacks, K, h, w), those of the last stack being the best.

    h and w are what `heat_map_size` says. Images are first scaled bilinearly to 4 h x 4 w: with heat maps of 64 x 64,
    as published, 224 x 224 pixels become 256 x 256.
    """

    def __init__(self, channels: int, keypoints: int, params: HourglassParams) -> None:
        super().__init__()
        self.heat_map = params.heat_map
        width = params.width
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width // 4, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width // 4),
            nn.ReLU(inplace=True),
            Residual(width // 4, width // 2),
            nn.MaxPool2d(2),
            Residual(width // 2, width // 2),
            Residual(width // 2, width),
        )
        last = params.stacks - 1
        self.stacks = nn.ModuleList(Stack(width, params.depth, keypoints, i == last) for i in range(params.stacks))

    def forward(self, images: Tensor) -> Tensor:
        """The heat maps of every stack."""
        height, width = heat_map_size((images.shape[2], images.shape[3]), self.heat_map)
        size = (STEM_STRIDE * height, STEM_STRIDE * width)
        features = self.stem(F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True))
        found: list[Tensor] = []
        for stack in self.stacks:
            features, maps = stack(features)
            found.append(maps)
        return torch.stack(found, dim=1)


def heat_map_size(size: tuple[int, int], longer: int | None) -> tuple[int, int]:
    """Height and width of the heat maps of images of `size`: the longer is `longer`, the other one in proportion.

    None takes a quarter of the image's longer side, rounded up to a power of two, from 8 to 64. No side is below 2.
    """
    if longer is None:
        longer = min(max(2 ** math.ceil(math.log2(max(size) / 4)), 8), 64)
    height, width = (max(round(side * longer / max(size)), 2) for side in size)
    return height, width


class HourglassTarget(KeypointTarget):
    """Keypoints by the stacked hourglass network."""

    name = "hourglass"

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return StackedHourglass(self.spec.channels, self.spec.keypoints, self.params.hourglass)
