"""Up- and downsampling with the [1, 3, 3, 1] low-pass filter of StyleGAN2."""

import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)


def lowpass_kernel(channels: int, like: Tensor, gain: float = 1.0) -> Tensor:
    """Depthwise kernel (channels, 1, 4, 4) that sums to `gain`, in the dtype and on the device of `like`."""
    taps = torch.tensor(TAPS, dtype=like.dtype, device=like.device) / sum(TAPS)
    return (torch.outer(taps, taps) * gain).expand(channels, 1, len(TAPS), len(TAPS))


def blur(x: Tensor, padding: int, gain: float = 1.0, stride: int = 1) -> Tensor:
    """Filter every channel of x (N, C, H, W) by the low-pass kernel, zero padded by `padding` on each side."""
    channels = x.shape[1]
    return F.conv2d(x, lowpass_kernel(channels, x, gain), padding=padding, stride=stride, groups=channels)


def upsample(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W): zero insertion, then the low-pass filter with gain 4 (StyleGAN2, fig. 7)."""
    channels = x.shape[1]
    return F.conv_transpose2d(x, lowpass_kernel(channels, x, gain=4.0), stride=2, padding=1, groups=channels)


def downsample(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, H/2, W/2): the low-pass filter, then every second pixel."""
    return blur(x, padding=1, stride=2)
