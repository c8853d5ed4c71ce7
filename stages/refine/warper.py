"""A network that bends simulated images a little before they are refined, so that shapes, too, come to look real.

Not in the article, whose refiner edits pixels alone: where simulated shapes differ from real ones, it can only let
label and image part. Here the label is bent by the same field, so that it keeps its place.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.refine.params import RefineParams, WarpParams


def refuse_warp(spec: DatasetSpec, params: RefineParams) -> None:
    """Raises UserError where bending an image would make a label wrong that no field can bend along."""
    if params.warp.pixels and spec.gaze:
        raise UserError(f"params.yaml: refine.warp.pixels: bends masks, but not the gaze of {spec.name}; set it to 0")


class Warper(nn.Module):
    """Images (N, C, H, W) and noise to smooth fields of displacements (N, 2, H, W): x, y in pixels, from a pixel of the
    bent image to where its value comes from. Starts without any."""

    def __init__(self, channels: int, params: WarpParams) -> None:
        super().__init__()
        self.params = params
        layers: list[nn.Module] = []
        for inputs in (channels + 1, params.width, params.width):
            layers += [nn.Conv2d(inputs, params.width, 3, padding=1), nn.ReLU(inplace=True)]
        last = nn.Conv2d(params.width, 2, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, 0.0)  # type: ignore[arg-type]
        self.network = nn.Sequential(*layers, last)

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """The fields. noise: (N, 1, h, w) with a value for each knot, h and w as `knots` says."""
        small = F.adaptive_avg_pool2d(images, (noise.shape[2], noise.shape[3]))
        bent = self.params.pixels * torch.tanh(self.network(torch.cat([small, noise], dim=1)))
        return F.interpolate(bent, size=images.shape[2:], mode="bilinear", align_corners=False)

    def knots(self, images: Tensor) -> list[int]:
        """Height and width of the grid of knots between which the field is smooth."""
        return [max(side // self.params.spacing, 1) for side in images.shape[2:]]


def field_grid(field: Tensor) -> Tensor:
    """Fields (N, 2, H, W) in pixels to (N, H, W, 2) places from -1 to 1, as `grid_sample` takes them."""
    count, _, height, width = field.shape
    still = torch.eye(2, 3, device=field.device).expand(count, 2, 3)
    start = F.affine_grid(still, [count, 1, height, width], align_corners=False)
    return start + field.permute(0, 2, 3, 1) * 2 / torch.tensor([width, height], device=field.device)
