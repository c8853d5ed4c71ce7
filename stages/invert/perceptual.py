"""Perceptual distances between images, differentiable, each (N,) >= 0. The default needs no weights but the GAN's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.invert.params import InvertParams
from stages.pretrain.build import load_discriminator
from stages.pretrain.discriminator import Discriminator
from stages.pretrain.features import EfficientNetLite


def map_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """(N,): squared distance of channel-normalised feature maps, mean over pixels, mean over maps (as LPIPS, eq. 1)."""
    total = first[0].new_zeros(len(first[0]))
    for a, b in zip(first, second, strict=True):
        difference = nn.functional.normalize(a, dim=1) - nn.functional.normalize(b, dim=1)
        total = total + difference.square().sum(dim=1).mean(dim=(1, 2))
    return total / len(first)


class MapDistance(nn.Module):
    """Distance of a network's maps. Those of the second image are kept while the same tensor comes again."""

    def __init__(self, maps: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.maps = maps
        self._known: tuple[Tensor, list[Tensor]] | None = None

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return map_distance(self.maps(first), self._maps_of_target(second))

    def _maps_of_target(self, images: Tensor) -> list[Tensor]:
        if images.requires_grad:
            return self.maps(images)
        if self._known is None or self._known[0] is not images:
            with torch.no_grad():
                self._known = (images, self.maps(images))
        return self._known[1]


class DiscriminatorDistance(MapDistance):
    """Distance of the trained discriminator's maps (first convolution and every block)."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__(discriminator.features)
        self.discriminator = discriminator


class EfficientNetDistance(MapDistance):
    """Distance of EfficientNet-Lite0's maps at four depths."""

    def __init__(self) -> None:
        network = EfficientNetLite()
        super().__init__(network.maps)
        self.network = network


class LpipsDistance(nn.Module):
    """LPIPS (Zhang et al. 2018) with its published linear weights, on a torchvision backbone of the user's."""

    def __init__(self, net: Literal["alex", "vgg"], weights: Path) -> None:
        super().__init__()
        if not weights.is_file():
            raise UserError(
                f"{weights}: no such file; invert.backbone_weights must name a torchvision {net} state dict"
            )
        from torchmetrics.functional.image.lpips import _LPIPS

        self.metric: Any = _LPIPS(pretrained=True, net=net, pnet_rand=True).eval()
        state = torch.load(weights, map_location="cpu", weights_only=True)
        for name, module in self.metric.net.named_modules():
            if isinstance(module, nn.Conv2d):
                layer = f"features.{name.split('.')[-1]}"
                module.load_state_dict({"weight": state[f"{layer}.weight"], "bias": state[f"{layer}.bias"]})
        self.requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        rgb = [images.expand(-1, 3, -1, -1).clamp(-1, 1) for images in (first, second)]
        return self.metric(*rgb).flatten()


def build_perceptual(kind: str, discriminator: Discriminator | None, weights: str | None) -> nn.Module:
    """A frozen distance: (N, C, H, W), (N, C, H, W) in [-1, 1] -> (N,).

    Raises UserError when it needs the discriminator and there is none, as beside a generator that was not trained here.
    """
    if kind == "discriminator":
        if discriminator is None:
            raise UserError(
                "invert.perceptual: discriminator, but the file of pretrain.weights has none; choose efficientnet, or "
                "lpips_vgg or lpips_alex with invert.backbone_weights"
            )
        return DiscriminatorDistance(discriminator).requires_grad_(False)
    if kind == "efficientnet":
        return EfficientNetDistance().requires_grad_(False)
    return LpipsDistance("alex" if kind == "lpips_alex" else "vgg", Path(str(weights)))


def load_distance(params: InvertParams, discriminator: Path) -> nn.Module:
    """The distance of the params. discriminator: the file of the GAN's, which need not be there for every distance."""
    critic = load_discriminator(discriminator) if discriminator.exists() else None
    return build_perceptual(params.perceptual, critic, params.backbone_weights)
