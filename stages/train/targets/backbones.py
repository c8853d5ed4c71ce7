"""Backbones with ImageNet weights: images as ImageNet networks expect them to feature maps at four resolutions."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.errors import UserError
from stages.pretrain.features import efficientnet_lite0
from stages.train.targets.torchvision_models import torchvision_part

ASKED_BY = "train.transfer.backbone:"
MOMENTUM = 0.1  # torch's own; with the network's 0.01 a few hundred updates leave its statistics behind its weights


class Backbone(nn.Module):
    """(N, 3, H, W), sides a multiple of 32, to maps (N, widths[i], H / 2**(i+2), W / 2**(i+2)), i = 0 to 3."""

    widths: ClassVar[tuple[int, ...]]


class FullPrecisionOnCPU(nn.Module):
    """A layer that computes in fp32 on a CPU, also where others compute in bf16.

    For depthwise convolutions PyTorch has no fast gradient in bf16 there: an update of the pyramid, 32 images at 128
    pixels, takes 1.14 s with it and 0.65 s without (one core, AVX512-BF16).
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, maps: Tensor) -> Tensor:
        """What the layer gives."""
        if maps.device.type != "cpu":
            found: Tensor = self.layer(maps)
            return found
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = self.layer(maps.float())
        return exact


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 (Tan and Le, ICML 2019) without its last convolution and its classifier."""

    widths = (24, 40, 112, 320)
    ends: ClassVar[tuple[int, ...]] = (2, 4, 10, 15)  # last block of each resolution

    def __init__(self, pretrained: bool) -> None:
        super().__init__()
        network: Any = efficientnet_lite0(f"{ASKED_BY} efficientnet_lite0", pretrained)
        self.stem, self.norm, self.blocks = network._conv_stem, network._bn0, network._blocks
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = MOMENTUM
        for block in self.blocks:
            block._depthwise_conv = FullPrecisionOnCPU(block._depthwise_conv)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The maps, finest first."""
        features, maps = F.relu6(self.norm(self.stem(images))), []
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number in self.ends:
                maps.append(features)
        return maps


class ResNet50(Backbone):
    """ResNet-50 (He et al., CVPR 2016) without its pooling and its classifier."""

    widths = (256, 512, 1024, 2048)

    def __init__(self, pretrained: bool) -> None:
        super().__init__()
        models = torchvision_part("models", "fpn with transfer.backbone resnet50")
        network = models.resnet50(weights=None)
        if pretrained:
            network.load_state_dict(_fetched(models.ResNet50_Weights.IMAGENET1K_V2))
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.ModuleList([network.layer1, network.layer2, network.layer3, network.layer4])

    def forward(self, images: Tensor) -> list[Tensor]:
        """The maps, finest first."""
        features, maps = self.stem(images), []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps


def _fetched(weights: Any) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = weights.get_state_dict(map_location="cpu", check_hash=True, weights_only=True)
        return found
    except (OSError, RuntimeError) as error:
        name = weights.url.rpartition("/")[2]
        raise UserError(
            f"{ASKED_BY} resnet50 needs {name} of torchvision, which cannot be fetched here "
            f"({' '.join(str(error).split())}); put that file into the folder checkpoints of torch's hub, by default "
            "~/.cache/torch/hub, or take efficientnet_lite0"
        ) from error


BACKBONES: dict[str, type[EfficientNetLite0] | type[ResNet50]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "resnet50": ResNet50,
}
