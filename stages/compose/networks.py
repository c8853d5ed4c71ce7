"""The synthesizer, which places an object on a background, and the discriminator of composites."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.compose.params import CriticParams, SynthesizerParams
from stages.compose.placement import PARAMETERS, bounded

SLOPE = 0.2
MAP = 4


class Synthesizer(nn.Module):
    """Backgrounds, cut-outs and noise to placements in (-1, 1) (Tripathi et al., CVPR 2019, figure 2).

    One feature network sees both; a branch each goes on with them; a regressor joins both and the noise. Only the
    outline is published: the layers are ours.
    """

    def __init__(self, channels: int, params: SynthesizerParams) -> None:
        super().__init__()
        widths = [params.width * 2**level for level in range(params.levels)]
        self.shared = nn.Sequential(*(_down(i, o) for i, o in zip([channels + 1, *widths[:-1]], widths, strict=True)))
        self.object_branch, self.background_branch = (_branch(widths[-1]) for _ in range(2))
        self.noise = params.noise
        self.pair = nn.Sequential(nn.Linear(2 * widths[-1] * MAP * MAP, params.hidden), nn.LeakyReLU(SLOPE))
        # The noise comes in late: beside thousands of features it would hardly count.
        self.regressor = nn.Sequential(
            nn.Linear(params.hidden + params.noise, params.hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(params.hidden, len(PARAMETERS)),
        )

    def forward(self, backgrounds: Tensor, objects: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
        """(N, 6) placements. backgrounds, objects: (N, C, H, W); alpha: (N, H, W); noise: (N, noise) normal."""
        return bounded(self.raw(backgrounds, objects, alpha, noise))

    def raw(self, backgrounds: Tensor, objects: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
        """(N, 6) placements before the squash."""
        seen = torch.cat([objects * alpha[:, None], alpha[:, None] * 2 - 1], dim=1)
        behind = F.pad(backgrounds, (0, 0, 0, 0, 0, 1), value=1.0)
        branches = (self.object_branch(self.shared(seen)), self.background_branch(self.shared(behind)))
        pair = self.pair(torch.cat([branch.flatten(1) for branch in branches], dim=1))
        raw: Tensor = self.regressor(torch.cat([pair, noise], dim=1))
        return raw


class Critic(nn.Module):
    """Images (N, C, H, W) to (N, h, w): how real each patch looks."""

    def __init__(self, channels: int, params: CriticParams) -> None:
        super().__init__()
        widths = [params.width * 2**level for level in range(params.levels)]
        layers = [_down(i, o) for i, o in zip([channels, *widths[:-1]], widths, strict=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The scores before the sigmoid."""
        scores: Tensor = self.layers(images)
        return scores[:, 0]


def _down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(SLOPE))


def _branch(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(SLOPE), nn.AdaptiveAvgPool2d(MAP))
