"""A small U-Net (Ronneberger et al., 2015) for images of up to about 128 pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.train.params import UNetParams
from stages.train.targets.segmentation import SegmentationTarget


class UNet(nn.Module):
    """Images (N, C, H, W) of any size to class scores (N, classes, H, W)."""

    def __init__(self, channels: int, classes: int, params: UNetParams) -> None:
        super().__init__()
        widths = [params.width * 2**level for level in range(params.depth + 1)]
        self.patch = params.patch
        self.multiple = params.patch * 2**params.depth
        inputs = [channels * params.patch**2, *widths[:-1]]
        self.encoder = nn.ModuleList(_block(i, o, params.norm) for i, o in zip(inputs, widths, strict=True))
        # Which class a pixel has may depend on all of its object, more than the convolutions see of large images.
        self.context = nn.Linear(widths[-1], widths[-1])
        self.upward = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, 2) for width in widths[:-1])
        self.decoder = nn.ModuleList(_block(2 * width, width, params.norm) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], classes * params.patch**2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores before the softmax."""
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % self.multiple, 0, -height % self.multiple), "replicate")
        features = F.pixel_unshuffle(padded, self.patch)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            features = block(F.max_pool2d(features, 2) if level else features)
            skips.append(features)
        features = features + self.context(features.mean(dim=(2, 3)))[:, :, None, None]
        for level in reversed(range(len(self.decoder))):
            features = self.decoder[level](torch.cat([self.upward[level](features), skips[level]], dim=1))
        return F.pixel_shuffle(self.head(features), self.patch)[:, :, :height, :width]


def _block(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        convolution = nn.Conv2d(width, outputs, 3, padding=1, bias=False)
        layers += [convolution, _norm(outputs, norm), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _norm(width: int, norm: str) -> nn.Module:
    return nn.BatchNorm2d(width) if norm == "batch" else nn.GroupNorm(max(width // 8, 1), width)


class UNetTarget(SegmentationTarget):
    """Segmentation by the U-Net."""

    name = "unet"

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return UNet(self.spec.channels, len(self.spec.classes), self.params.unet)
