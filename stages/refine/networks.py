"""The two networks of SimGAN (Shrivastava et al., CVPR 2017, section 3.1 and supplement)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.warp import sample_images
from stages.refine.params import DiscriminatorParams, LayerParams, RefinerParams, WarpParams
from stages.refine.warper import Warper, field_grid

NO_WARP = WarpParams()


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip; ReLU after the first and after the sum."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return F.relu(features + self.second(F.relu(self.first(features))))


class Refiner(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to images of the same shape and range, at any size.

    What goes before it where the params ask for it: `bent`, then `grained`.
    """

    def __init__(self, channels: int, params: RefinerParams, warp: WarpParams = NO_WARP) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, params.width, params.first_kernel, padding=params.first_kernel // 2)
        self.blocks = nn.Sequential(*(ResidualBlock(params.width, params.kernel) for _ in range(params.blocks)))
        self.last = nn.Conv2d(params.width, channels, 1)
        self.grain = params.grain
        self.warper = Warper(channels, warp) if warp.pixels else None

    def bent(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The images as the warper bends them, and its field (N, 2, H, W), for the labels. generator: on the CPU."""
        if self.warper is None:
            return images, None
        noise = torch.randn(len(images), 1, *self.warper.knots(images), generator=generator).to(images.device)
        field = self.warper(images, noise)
        return sample_images(images, field_grid(field)), field

    def grained(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The images with the noise from which it makes texture. generator: on the CPU."""
        if not self.grain:
            return images
        return images + self.grain * torch.randn(images.shape, generator=generator).to(images.device)

    def forward(self, images: Tensor) -> Tensor:
        """The refined images."""
        refined: Tensor = torch.tanh(self.last(self.blocks(F.relu(self.first(images)))))
        return refined


class Discriminator(nn.Module):
    """Images (N, C, H, W) to class scores (N, 2, h, w) before the softmax: 0 = real, 1 = refined, a decision a patch.

    With scope `global` h = w = 1: the scores are taken from the mean features of the whole image.
    """

    def __init__(self, channels: int, params: DiscriminatorParams) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*_layers(channels, params.layers))
        width = next(layer.width for layer in reversed(params.layers) if layer.width)
        self.pool = nn.AdaptiveAvgPool2d(1) if params.scope == "global" else nn.Identity()
        self.scores = nn.Conv2d(width, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """The scores."""
        scores: Tensor = self.scores(self.pool(self.trunk(images)))
        return scores


def _layers(channels: int, layers: Sequence[LayerParams]) -> list[nn.Module]:
    built: list[nn.Module] = []
    for layer in layers:
        padding = layer.kernel // 2
        if layer.width:
            built += [nn.Conv2d(channels, layer.width, layer.kernel, layer.stride, padding), nn.ReLU()]
            channels = layer.width
        else:
            built.append(nn.MaxPool2d(layer.kernel, layer.stride, padding))
    return built
