"""The label generator, fast: the first layer at native resolution, resizing as matrix products, in row bands.

The first linear layer commutes with bilinear resizing, so it is applied to each feature map where it is small; the
results of all resolutions are resized directly to the output and summed. A band of output rows at a time is resized
(rows by a few taps, columns by one matrix product for all resolutions) and carried through the other layers, so that
neither the hypercolumn nor a full-size hidden layer ever exists. Equal to `plain` up to rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.label.ensemble import Ensemble

BAND_PIXELS = 4096


def resize_matrix(target: int, source: int, like: Tensor) -> Tensor:
    """(target, source): bilinear resizing along one axis with align_corners=False, as `F.interpolate` does it."""
    identity = torch.eye(source, dtype=like.dtype, device=like.device)[None]
    return F.interpolate(identity, size=target, mode="linear", align_corners=False)[0].t().contiguous()


@dataclass(frozen=True)
class FoldedEnsemble:
    """The ensemble for inference: standardisation and batch normalisation folded into the linear layers.

    first: (D, members * h1) with first_bias (members * h1,); second: (members, h1, h2); last: (members, h2, outputs).
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor

    @property
    def members(self) -> int:
        return len(self.second)

    @property
    def outputs(self) -> int:
        return self.last.shape[2]


@torch.no_grad()
def fold(ensemble: Ensemble) -> FoldedEnsemble:
    """Order is linear, ReLU, normalisation: each normalisation folds forward into the next linear layer."""
    first = ensemble.first.weight / ensemble.spread
    first_bias = ensemble.first.bias - first @ ensemble.centre
    second, second_bias = _absorb(ensemble.second.weight, ensemble.second.bias, ensemble.first_norm.affine())
    last, last_bias = _absorb(ensemble.last.weight, ensemble.last.bias, ensemble.second_norm.affine())
    return FoldedEnsemble(
        first.flatten(0, 1).t().contiguous(),
        first_bias.flatten(),
        second.transpose(1, 2).contiguous(),
        second_bias,
        last.transpose(1, 2).contiguous(),
        last_bias,
    )


def _absorb(weight: Tensor, bias: Tensor, affine: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    scale, shift = affine
    return weight * scale[:, None], bias + torch.einsum("moi,mi->mo", weight, shift)


@dataclass(frozen=True)
class _Level:
    """The maps of one resolution (C_i, h, w), their rows of the first layer (C_i, members * h1), row taps (H, h)."""

    maps: list[Tensor]
    weights: list[Tensor]
    rows: Tensor

    @property
    def width(self) -> int:
        return self.maps[0].shape[2]

    def add_first_layer(self, total: Tensor, low: int, high: int) -> Tensor:
        """Add the first layer of the native rows low..high to `total` ((high - low) * w, members * h1), in place."""
        for maps, weight in zip(self.maps, self.weights, strict=True):
            total.addmm_(maps[:, low:high].float().flatten(1).t(), weight)
        return total

    def resized_rows(self, start: int, stop: int) -> Tensor:
        """First layer, resized along rows: output rows start..stop at native width, (stop - start, w, members * h1)."""
        taps = self.rows[start:stop]
        used = taps.any(dim=0).nonzero()
        low, high = int(used[0]), int(used[-1]) + 1
        outputs = self.weights[0].shape[1]
        native = self.add_first_layer(taps.new_zeros((high - low) * self.width, outputs), low, high)
        return (taps[:, low:high] @ native.view(high - low, -1)).view(stop - start, self.width, outputs)


def _levels(folded: FoldedEnsemble, maps: list[Tensor], height: int) -> list[_Level]:
    """The maps (C, h, w) by resolution; `weights` are views of the maps' rows of the first layer."""
    by_size: dict[tuple[int, int], _Level] = {}
    start = 0
    for m in maps:
        size = (m.shape[1], m.shape[2])
        if size not in by_size:
            by_size[size] = _Level([], [], resize_matrix(height, m.shape[1], folded.first))
        by_size[size].maps.append(m)
        by_size[size].weights.append(folded.first[start : start + m.shape[0]])
        start += m.shape[0]
    return list(by_size.values())


@torch.no_grad()
def factored_bands(
    folded: FoldedEnsemble, maps: list[Tensor], size: tuple[int, int], band_rows: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Logits of one image, a band of rows at a time.

    maps: (C_i, h_i, w_i) each no larger than `size`. Yields (rows, logits (members, rows, W, outputs)).
    """
    height, width = size
    band_rows = band_rows or max(1, BAND_PIXELS // width)
    levels = _levels(folded, maps, height)
    full = [level for level in levels if level.maps[0].shape[1:] == size]
    small = [level for level in levels if level.maps[0].shape[1:] != size]
    across = torch.cat([resize_matrix(width, x.width, folded.first) for x in small], dim=1) if small else None
    for start in range(0, height, band_rows):
        stop = min(start + band_rows, height)
        bias = folded.first_bias.expand(stop - start, width, -1)
        if across is None:
            hidden = bias.contiguous()
        else:
            stacked = torch.cat([level.resized_rows(start, stop) for level in small], dim=1)
            hidden = torch.baddbmm(bias, across.expand(stop - start, -1, -1), stacked)
        flat = hidden.flatten(0, 1)
        for level in full:
            level.add_first_layer(flat, start, stop)
        yield slice(start, stop), _upper_layers(folded, flat.relu_(), width)


def _upper_layers(folded: FoldedEnsemble, hidden: Tensor, width: int) -> Tensor:
    """(rows * W, members * h1) after the ReLU -> logits (members, rows, W, outputs)."""
    per_member = hidden.view(len(hidden), folded.members, -1)
    logits = []
    for i in range(folded.members):
        x = torch.addmm(folded.second_bias[i], per_member[:, i], folded.second[i]).relu_()
        logits.append(torch.addmm(folded.last_bias[i], x, folded.last[i]))
    return torch.stack(logits).view(folded.members, -1, width, folded.outputs)
