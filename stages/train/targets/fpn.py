"""Transfer learning: a feature pyramid (FPN, Lin et al., CVPR 2017) over a backbone with ImageNet weights."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.pretrain.features import to_imagenet
from stages.train.params import TransferParams
from stages.train.targets.backbones import BACKBONES
from stages.train.targets.base import Target
from stages.train.targets.depth import DepthTarget
from stages.train.targets.keypoints import KeypointTarget, start_empty
from stages.train.targets.segmentation import SegmentationTarget

SHORTER, COARSEST = 128, 32  # pixels: what small images are brought to; one place of the coarsest level


class FeaturePyramid(nn.Module):
    """Images (N, 1 or 3, H, W) in [-1, 1] to maps (N, outputs, H', W'), a quarter of `inner_size` a side.

    The levels are added up at the finest resolution, as Kirillov et al. (Panoptic FPN, CVPR 2019) do for segmentation.
    """

    def __init__(self, outputs: int, params: TransferParams, pretrained: bool) -> None:
        super().__init__()
        self.enlarge, width = params.enlarge, params.width
        self.backbone = BACKBONES[params.backbone](pretrained)
        self.lateral = nn.ModuleList(nn.Conv2d(inputs, width, 1) for inputs in self.backbone.widths)
        self.smooth = nn.ModuleList(_convolution(width) for _ in self.backbone.widths)
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """The maps, in full precision."""
        size = inner_size((images.shape[2], images.shape[3]), self.enlarge)
        scaled = F.interpolate(images, size, mode="bilinear", align_corners=False)
        levels = self._top_down(self.backbone(to_imagenet(scaled, None)))
        finest = levels[0].shape[2:]
        added = [
            F.interpolate(smooth(level), finest, mode="bilinear", align_corners=False)
            for smooth, level in zip(self.smooth, levels, strict=True)
        ]
        maps: Tensor = self.head(torch.stack(added).sum(dim=0))
        return maps.float()

    def _top_down(self, features: list[Tensor]) -> list[Tensor]:
        """Each level with all coarser ones added, finest first."""
        levels = [lateral(one) for lateral, one in zip(self.lateral, features, strict=True)]
        for number in range(len(levels) - 2, -1, -1):
            above = F.interpolate(levels[number + 1], levels[number].shape[2:], mode="nearest")
            levels[number] = levels[number] + above
        return levels


def inner_size(size: tuple[int, int], enlarge: int | None) -> tuple[int, int]:
    """Height and width that the network scales images of `size` to: `enlarge` times as large, to the nearest multiple
    of 32. None enlarges by the smallest whole factor that brings the shorter side to 128 pixels."""
    factor = enlarge or math.ceil(SHORTER / min(size))
    height, width = (max(round(side * factor / COARSEST), 1) * COARSEST for side in size)
    return height, width


def _convolution(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )


class DensePyramid(FeaturePyramid):
    """The maps at the size of the images: (N, outputs, H, W)."""

    def forward(self, images: Tensor) -> Tensor:
        """The maps."""
        size = (images.shape[2], images.shape[3])
        return F.interpolate(super().forward(images), size, mode="bilinear", align_corners=False)


class HeatMapPyramid(FeaturePyramid):
    """The maps as those of one stack: (N, 1, outputs, H', W')."""

    def __init__(self, outputs: int, params: TransferParams, pretrained: bool) -> None:
        super().__init__(outputs, params, pretrained)
        start_empty(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """The heat maps."""
        return super().forward(images)[:, None]


class PyramidTarget(Target):
    """Mixed into a target, gives it the pyramid for its network and leaves the rest of it alone."""

    network: ClassVar[type[FeaturePyramid]] = DensePyramid

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Maps that the network gives."""

    def build(self) -> nn.Module:
        """The network, its backbone with ImageNet weights. Raises UserError when they cannot be had."""
        return self.network(self.outputs, self.params.transfer, pretrained=True)

    def blank(self) -> nn.Module:
        """The network without them."""
        return self.network(self.outputs, self.params.transfer, pretrained=False)

    def rate_share(self, name: str) -> float:
        """That of `train.transfer`: the backbone, which has learned before, takes smaller steps."""
        params = self.params.transfer
        share = params.learning_rate / self.params.learning_rate
        return share * params.backbone_rate if name.startswith("backbone.") else share


class PyramidSegmentationTarget(PyramidTarget, SegmentationTarget):
    """Segmentation."""

    name = "fpn"

    @property
    def outputs(self) -> int:
        """One a class."""
        return len(self.spec.classes)


class PyramidKeypointTarget(PyramidTarget, KeypointTarget):
    """Keypoints by heat maps."""

    name = "fpn_keypoints"
    network = HeatMapPyramid

    @property
    def outputs(self) -> int:
        """One a keypoint."""
        return self.spec.keypoints


class PyramidDepthTarget(PyramidTarget, DepthTarget):
    """Depth."""

    name = "fpn_depth"

    @property
    def outputs(self) -> int:
        """The logarithm of the depth."""
        return 1
