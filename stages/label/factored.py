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
    """The maps of one resolution (C, h, w), their rows of the first layer (C, members * h1), row resizing (H, h)."""

    maps: Tensor
    weight: Tensor
    rows: Tensor

    @property
    def width(self) -> int:
        return self.maps.shape[2]

    def resized_rows(self, start: int, stop: int) -> Tensor:
        """First layer, resized along rows: output rows start..stop at native width, (stop - start, w, members * h1)."""
        taps = self.rows[start:stop]
        used = taps.any(dim=0).nonzero()
        low, high = int(used[0]), int(used[-1]) + 1
        pixels = self.maps[:, low:high].float().flatten(1).t()
        native = (pixels @ self.weight).view(high - low, self.width, -1)
        if self.rows.shape[0] == self.rows.shape[1]:
            return native
        return (taps[:, low:high] @ native.flatten(1)).view(stop - start, *native.shape[1:])


def _levels(folded: FoldedEnsemble, maps: list[Tensor], height: int) -> list[_Level]:
    """One level a map (C, h, w); `weight` is a view of the map's rows of the first layer."""
    offsets = torch.tensor([0, *(m.shape[0] for m in maps)]).cumsum(0).tolist()
    return [
        _Level(m, folded.first[start:stop], resize_matrix(height, m.shape[1], folded.first))
        for m, start, stop in zip(maps, offsets[:-1], offsets[1:], strict=True)
    ]


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
    full = [level for level in levels if level.width == width]
    small = [level for level in levels if level.width != width]
    widths = list(dict.fromkeys(level.width for level in small))
    across = torch.cat([resize_matrix(width, w, folded.first) for w in widths], dim=1) if widths else None
    for start in range(0, height, band_rows):
        stop = min(start + band_rows, height)
        hidden = folded.first_bias.expand(stop - start, width, -1)
        if across is not None:
            stacked = torch.cat([_sum_of([x for x in small if x.width == w], start, stop) for w in widths], dim=1)
            hidden = torch.baddbmm(hidden, across.expand(stop - start, -1, -1), stacked)
        for level in full:
            hidden = hidden + level.resized_rows(start, stop)
        yield slice(start, stop), _upper_layers(folded, F.relu(hidden))


def _sum_of(levels: list[_Level], start: int, stop: int) -> Tensor:
    """The resized rows of maps of one width, summed."""
    total = levels[0].resized_rows(start, stop)
    for level in levels[1:]:
        total = total + level.resized_rows(start, stop)
    return total


def _upper_layers(folded: FoldedEnsemble, hidden: Tensor) -> Tensor:
    """(rows, W, members * h1) after the ReLU -> logits (members, rows, W, outputs)."""
    rows, width, _ = hidden.shape
    per_member = hidden.view(rows * width, folded.members, -1)
    logits = []
    for i in range(folded.members):
        x = F.relu(torch.addmm(folded.second_bias[i], per_member[:, i], folded.second[i]))
        logits.append(torch.addmm(folded.last_bias[i], x, folded.last[i]))
    return torch.stack(logits).view(folded.members, rows, width, -1)


@torch.no_grad()
def factored_logits(ensemble: Ensemble, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Logits (members, N, H, W, outputs) of a batch of maps (N, C_i, h_i, w_i), as `plain_logits` gives them."""
    folded = fold(ensemble)
    images = range(len(maps[0]))
    per_image = [torch.cat([part for _, part in factored_bands(folded, [m[i] for m in maps], size)], 1) for i in images]
    return torch.stack(per_image, dim=1)
