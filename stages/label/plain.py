"""The label generator as published: build the hypercolumn, run the members one after another.

Slow and large; it is the oracle that the factored form is tested against.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.label.ensemble import Ensemble


def hypercolumn(maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    """All maps (N, C_i, h_i, w_i) resized bilinearly to `size` and concatenated: (N, sum C_i, H, W)."""
    return torch.cat([F.interpolate(m.float(), size=size, mode="bilinear", align_corners=False) for m in maps], dim=1)


@torch.no_grad()
def plain_logits(ensemble: Ensemble, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Logits (members, N, H, W, outputs)."""
    columns = hypercolumn(maps, size).permute(0, 2, 3, 1)
    flat = columns.reshape(-1, columns.shape[-1])
    logits = torch.stack([ensemble.member(i, flat) for i in range(ensemble.members)])
    return logits.view(ensemble.members, *columns.shape[:3], -1)
