"""Keypoints as heat maps and back."""

import math

import torch
from torch import Tensor

LOWEST = 1e-6
# Of the weights of the layer that gives heat maps, at the start: most of a map is 0, and from an ordinary start much of
# the training goes into emptying them (Xiao et al., ECCV 2018, start so).
START_STD = 0.001


def encode(places: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Heat maps (N, K, height, width) with a Gaussian of height 1 around each place.

    places: (N, K, 2) x, y in pixels of the heat map, anywhere between its pixels. sigma: in the same pixels.
    """
    rows, columns = (torch.arange(side, device=places.device, dtype=places.dtype) for side in size)
    x = (columns - places[:, :, :1]).square()
    y = (rows - places[:, :, 1:]).square()
    return torch.exp(-(y[:, :, :, None] + x[:, :, None, :]) / (2 * sigma**2))


def decode(maps: Tensor) -> Tensor:
    """Places (N, K, 2) of the peaks of heat maps (N, K, height, width), in pixels of the heat map.

    The highest pixel, moved by at most half of one to the top of the Gaussian through it and its neighbours: the Taylor
    expansion of the logarithm (Zhang et al., CVPR 2020, section 3.2), along x and y apart, without smoothing before. In
    the outermost rows and columns the two next pixels inward take the place of the neighbours.
    """
    height, width = maps.shape[2:]
    peaks = maps.flatten(2).argmax(dim=2)
    rows, columns = peaks // width, peaks % width
    through_row = maps.gather(2, rows[:, :, None, None].expand(-1, -1, 1, width))[:, :, 0]
    through_column = maps.gather(3, columns[:, :, None, None].expand(-1, -1, height, 1))[:, :, :, 0]
    return torch.stack([columns + _offset(through_row, columns), rows + _offset(through_column, rows)], dim=2)


def _offset(lines: Tensor, peaks: Tensor) -> Tensor:
    """How far, up to half a pixel, the top of a Gaussian lies beside the highest pixel of lines (N, K, L)."""
    last = lines.shape[2] - 1
    if last < 2:
        return torch.zeros(peaks.shape, dtype=lines.dtype, device=lines.device)
    # At an end the two pixels inward of the peak stand in: a parabola is the same through any three of its points.
    middle = peaks.clamp(1, last - 1)
    logs = lines.clamp(min=LOWEST).log().gather(2, torch.stack([middle - 1, middle, middle + 1], dim=2))
    left, top, right = logs.unbind(dim=2)
    curve = left + right - 2 * top
    offset = (middle - peaks) + (left - right) / (2 * curve.clamp(max=-1e-6))
    # Beside the peak it may be a valley, or a pixel that was raised to LOWEST, and neither tells where the top is.
    told = (middle == peaks) | ((curve < 0) & (torch.minimum(left, right) > math.log(LOWEST) + 1e-3))
    return torch.where(told, offset, 0.0).clamp(-0.5, 0.5)
