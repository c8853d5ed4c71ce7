"""Layers with equalised learning rate (Karras et al. 2018, section 4.1) and modulated convolution (StyleGAN2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.pretrain.resample import blur

ACTIVATION_GAIN = math.sqrt(2.0)
SLOPE = 0.2


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 that keeps the variance of a unit normal input."""
    return F.leaky_relu(x, SLOPE) * ACTIVATION_GAIN


class EqualLinear(nn.Module):
    """Linear layer whose weights are drawn from N(0, 1) and scaled at run time, so that all layers learn equally fast.

    lr_multiplier scales weight and bias (0.01 in the mapping network).
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(inputs)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class EqualConv(nn.Module):
    """Convolution with equalised learning rate; `down` low-pass filters and halves the size.

    activated: `activate` follows. scale: factor of the output. All factors are multiplied into the weights, which are
    smaller than the maps.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        bias: bool = True,
        down: bool = False,
        activated: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.bias_gain = scale * (ACTIVATION_GAIN if activated else 1.0)
        self.weight_gain = self.bias_gain / math.sqrt(inputs * kernel * kernel)
        self.kernel, self.down, self.activated = kernel, down, activated

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W), or half of H and W with `down`."""
        bias = None if self.bias is None else self.bias * self.bias_gain
        x = self._convolved(x, self.weight * self.weight_gain, bias)
        return F.leaky_relu(x, SLOPE) if self.activated else x

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self.down:
            return F.conv2d(x, weight, bias, padding=self.kernel // 2)
        if self.kernel == 1:  # commutes with the stride: filter only the pixels that stay
            return F.conv2d(blur(x, padding=1, stride=2), weight, bias)
        return F.conv2d(blur(x, padding=2), weight, bias, stride=2)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style and whose outputs are renormalised (StyleGAN2, eq. 1-3).

    Scaling activations before and after one shared convolution equals scaling the weights a sample, without
    grouped convolutions; the demodulation factor, times `scale`, is computed from the weights alone.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        w_dim: int,
        demodulate: bool = True,
        up: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.gain = 1.0 / math.sqrt(inputs * kernel * kernel)
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.kernel, self.demodulate, self.up, self.scale = kernel, demodulate, up, scale

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, C, H, W), w (N, w_dim) -> (N, outputs, H, W), or twice the size with `up`."""
        style = self.style(w)
        weight = self.weight * self.gain
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = blur(x, padding=1, gain=4.0)
        else:
            x = F.conv2d(x, weight, padding=self.kernel // 2)
        if self.demodulate:
            x = x * (self.scale * self.demodulation(style, weight))[:, :, None, None].to(x.dtype)
        return x

    @staticmethod
    def demodulation(style: Tensor, weight: Tensor) -> Tensor:
        """(N, outputs): 1 / norm of the modulated weights of each output map."""
        power = weight.square().sum(dim=(2, 3))
        return (style.square() @ power.t() + 1e-8).rsqrt()
