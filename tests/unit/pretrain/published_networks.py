"""StyleGAN2 as the paper describes it, with the names and the arithmetic of two published ports, written out plainly.

The oracles of `stages.pretrain.pretrained`: weights of each sample are modulated one by one and applied by grouped
convolution, filters are sums over shifted images, nothing is folded into anything. Every tensor is random and large
enough to be seen in the images.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
FILTER = torch.outer(TAPS, TAPS) / 64
MAPPING_RATE = 0.01


def published_widths(size, base, limit):
    """Channels of the maps of 4, 8, ... `size` pixels."""
    return [min(base // (4 << level), limit) for level in range(int(math.log2(size)) - 1)]


def insert_zeros(x):
    """(N, C, H, W) -> (N, C, 2H, 2W): each pixel, then a zero, in both directions."""
    wide = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    wide[:, :, ::2, ::2] = x
    return wide


def low_pass(x, before, after, gain):
    """Convolution of every channel with the filter, zeros around: `before` at the top and left, `after` opposite."""
    x = F.pad(x, (before, after, before, after))
    height, width = x.shape[2] - 3, x.shape[3] - 3
    turned = FILTER.flip(0, 1) * gain
    return sum(turned[i, j] * x[:, :, i : i + height, j : j + width] for i in range(4) for j in range(4))


def correlate(x, weights, padding):
    """x (N, I, H, W) with its own weights a sample (N, O, I, k, k)."""
    count, outputs, inputs, k, _ = weights.shape
    flat = x.reshape(1, count * inputs, *x.shape[2:])
    out = F.conv2d(flat, weights.reshape(count * outputs, inputs, k, k), padding=padding, groups=count)
    return out.reshape(count, outputs, *out.shape[2:])


def convolve(x, weights, padding):
    """As `correlate`, with the kernels turned by half a circle."""
    return correlate(x, weights.flip(3, 4), padding)


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def unit_length(z):
    return z / (z.pow(2).mean(dim=1, keepdim=True) + 1e-8).sqrt()


def hold(**tensors):
    """A module with these tensors and nothing else."""
    module = nn.Module()
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor)
    return module


def each_w(ws):
    """(N, layers, w_dim) -> the w of each layer."""
    return ws.unbind(dim=1)


class Affine(nn.Module):
    """Linear layer; `rate` scales weight and bias."""

    def __init__(self, inputs, outputs, around=0.0, rate=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter((around + 0.3 * torch.randn(outputs)) / rate)
        self.rate = rate

    def forward(self, x):
        return x @ (self.weight * self.rate / math.sqrt(self.weight.shape[1])).t() + self.bias * self.rate


# The rosinality port: the transposed convolution comes first, then the filter.


class RosinalityConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, w_dim, up=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = Affine(w_dim, inputs, around=1.0)
        self.up, self.demodulate, self.kernel = up, kernel == 3, kernel
        if up:
            self.blur = hold(kernel=FILTER * 4)

    def forward(self, x, w):
        fan_in = self.weight[0, 0].numel()
        weights = self.weight / math.sqrt(fan_in) * self.modulation(w)[:, None, :, None, None]
        if self.demodulate:
            weights = weights / (weights.pow(2).sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
        if not self.up:
            return correlate(x, weights, self.kernel // 2)
        # The gradient of a convolution with stride 2: zeros between the pixels, none after the last one.
        return low_pass(convolve(insert_zeros(x)[:, :, :-1, :-1], weights, 2), 1, 1, gain=4)


class RosinalityStyled(nn.Module):
    def __init__(self, inputs, outputs, w_dim, up=False):
        super().__init__()
        self.conv = RosinalityConv(inputs, outputs, 3, w_dim, up)
        self.noise = hold(weight=0.5 + torch.rand(1))
        self.activate = hold(bias=0.5 * torch.randn(outputs))

    def forward(self, x, w, noise):
        return leaky(self.conv(x, w) + self.noise.weight * noise + self.activate.bias[None, :, None, None])


class RosinalityToRgb(nn.Module):
    def __init__(self, inputs, w_dim, up=True):
        super().__init__()
        self.conv = RosinalityConv(inputs, 3, 1, w_dim)
        self.bias = nn.Parameter(0.5 * torch.randn(1, 3, 1, 1))
        if up:
            self.upsample = hold(kernel=FILTER * 4)

    def forward(self, x, w, skip=None):
        image = self.conv(x, w) + self.bias
        return image if skip is None else image + low_pass(insert_zeros(skip), 2, 1, gain=4)


class RosinalityMapping(Affine):
    def forward(self, x):
        return leaky(super().forward(x))


class PixelNorm(nn.Module):
    def forward(self, z):
        return unit_length(z)


class RosinalityGenerator(nn.Module):
    def __init__(self, size, w_dim, mapping_layers, widths):
        super().__init__()
        layers = [RosinalityMapping(w_dim, w_dim, rate=MAPPING_RATE) for _ in range(mapping_layers)]
        self.style = nn.Sequential(PixelNorm(), *layers)
        self.input = hold(input=torch.randn(1, widths[0], 4, 4))
        self.conv1 = RosinalityStyled(widths[0], widths[0], w_dim)
        self.to_rgb1 = RosinalityToRgb(widths[0], w_dim, up=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for coarse, fine in itertools.pairwise(widths):
            self.convs.append(RosinalityStyled(coarse, fine, w_dim, up=True))
            self.convs.append(RosinalityStyled(fine, fine, w_dim))
            self.to_rgbs.append(RosinalityToRgb(fine, w_dim))
        sides = [4, *(side for level in range(1, len(widths)) for side in (4 << level, 4 << level))]
        assert sides[-1] == size
        self.noises = hold(**{f"noise_{i}": torch.randn(1, 1, side, side) for i, side in enumerate(sides)})

    def noise(self, number):
        return getattr(self.noises, f"noise_{number}")

    def synthesis(self, ws):
        w = each_w(ws)
        x = self.conv1(self.input.input.repeat(len(ws), 1, 1, 1), w[0], self.noise(0))
        image = self.to_rgb1(x, w[1])
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * i](x, w[2 * i + 1], self.noise(2 * i + 1))
            x = self.convs[2 * i + 1](x, w[2 * i + 2], self.noise(2 * i + 2))
            image = to_rgb(x, w[2 * i + 3], image)
        return image

    def forward(self, z, psi, mean):
        w = mean + psi * (self.style(z) - mean)
        return self.synthesis(w[:, None].repeat(1, 2 * len(self.to_rgbs) + 2, 1))


def rosinality_layer(inputs, outputs, kernel, down=False, activated=True):
    """The parts of a discriminator's layer, numbered as in a sequence."""
    parts = [hold(kernel=FILTER.clone())] if down else []
    parts.append(hold(weight=torch.randn(outputs, inputs, kernel, kernel)))
    return nn.ModuleList(parts + ([hold(bias=0.5 * torch.randn(outputs))] if activated else []))


def apply_layer(layer, x, down=False):
    """Filter where it halves the size, convolution, bias and activation where there is a bias."""
    weight = layer[1 if down else 0].weight
    k = weight.shape[2]
    if down:
        x = low_pass(x, k // 2 + 1, k // 2 + 1, gain=1)
    x = F.conv2d(x, weight / math.sqrt(weight[0].numel()), stride=2 if down else 1, padding=0 if down else k // 2)
    return leaky(x + layer[-1].bias[:, None, None]) if hasattr(layer[-1], "bias") else x


class RosinalityBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = rosinality_layer(inputs, inputs, 3)
        self.conv2 = rosinality_layer(inputs, outputs, 3, down=True)
        self.skip = rosinality_layer(inputs, outputs, 1, down=True, activated=False)

    def forward(self, x):
        deep = apply_layer(self.conv2, apply_layer(self.conv1, x), down=True)
        return (deep + apply_layer(self.skip, x, down=True)) / math.sqrt(2)


class RosinalityDiscriminator(nn.Module):
    """One group of at most four images."""

    def __init__(self, widths):
        super().__init__()
        fine = widths[::-1]
        blocks = [RosinalityBlock(i, o) for i, o in itertools.pairwise(fine)]
        self.convs = nn.ModuleList([rosinality_layer(3, fine[0], 1), *blocks])
        self.final_conv = rosinality_layer(fine[-1] + 1, fine[-1], 3)
        self.final_linear = nn.ModuleList([Affine(16 * fine[-1], fine[-1]), Affine(fine[-1], 1)])

    def features(self, images):
        maps = [apply_layer(self.convs[0], images)]
        for block in self.convs[1:]:
            maps.append(block(maps[-1]))
        return maps

    def forward(self, images):
        x = self.features(images)[-1]
        deviation = ((x - x.mean(dim=0)).pow(2).mean(dim=0) + 1e-8).sqrt().mean()
        x = torch.cat([x, deviation.repeat(len(x), 1, 4, 4)], dim=1)
        x = apply_layer(self.final_conv, x).reshape(len(x), -1)
        return self.final_linear[1](leaky(self.final_linear[0](x)))[:, 0]


# NVIDIA's port: the image is doubled and filtered first, then convolved; demodulated weights have no gain.


class AdaLayer(nn.Module):
    def __init__(self, inputs, outputs, w_dim, side, up=False):
        super().__init__()
        self.affine = Affine(w_dim, inputs, around=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(0.5 * torch.randn(outputs))
        self.noise_strength = nn.Parameter(0.5 + torch.rand([]))
        self.register_buffer("noise_const", torch.randn(side, side))
        self.register_buffer("resample_filter", FILTER.clone())
        self.up = up

    def forward(self, x, w):
        weights = self.weight[None] * self.affine(w)[:, None, :, None, None]
        weights = weights / (weights.pow(2).sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
        x = convolve(low_pass(insert_zeros(x), 3, 2, gain=4), weights, 0) if self.up else correlate(x, weights, 1)
        return leaky(x + self.noise_const * self.noise_strength + self.bias[None, :, None, None])


class AdaToRgb(nn.Module):
    def __init__(self, inputs, channels, w_dim):
        super().__init__()
        self.affine = Affine(w_dim, inputs, around=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(0.5 * torch.randn(channels))

    def forward(self, x, w):
        styles = self.affine(w) / math.sqrt(x.shape[1])
        return correlate(x, self.weight[None] * styles[:, None, :, None, None], 0) + self.bias[None, :, None, None]


class AdaBlock(nn.Module):
    def __init__(self, inputs, outputs, channels, w_dim, side):
        super().__init__()
        self.register_buffer("resample_filter", FILTER.clone())
        if inputs:
            self.conv0 = AdaLayer(inputs, outputs, w_dim, side, up=True)
        else:
            self.const = nn.Parameter(torch.randn(outputs, side, side))
        self.conv1 = AdaLayer(outputs, outputs, w_dim, side)
        self.torgb = AdaToRgb(outputs, channels, w_dim)


class AdaMapping(nn.Module):
    def __init__(self, z_dim, w_dim, layers):
        super().__init__()
        for i in range(layers):
            setattr(self, f"fc{i}", Affine(w_dim if i else z_dim, w_dim, rate=MAPPING_RATE))
        self.register_buffer("w_avg", torch.randn(w_dim))
        self.layers = layers

    def forward(self, z, psi):
        x = unit_length(z)
        for i in range(self.layers):
            x = leaky(getattr(self, f"fc{i}")(x))
        return self.w_avg + psi * (x - self.w_avg)


class AdaGenerator(nn.Module):
    def __init__(self, size, z_dim, w_dim, mapping_layers, widths, channels=3):
        super().__init__()
        self.mapping = AdaMapping(z_dim, w_dim, mapping_layers)
        self.sides = [4 << level for level in range(len(widths))]
        assert self.sides[-1] == size
        blocks = zip(self.sides, [0, *widths], widths, strict=False)
        self.synthesis = nn.ModuleDict({f"b{s}": AdaBlock(i, o, channels, w_dim, s) for s, i, o in blocks})

    def drawn(self, ws):
        w = each_w(ws)
        block = self.synthesis["b4"]
        x = block.conv1(block.const.repeat(len(ws), 1, 1, 1), w[0])
        image = block.torgb(x, w[1])
        for i, side in enumerate(self.sides[1:]):
            block = self.synthesis[f"b{side}"]
            x = block.conv1(block.conv0(x, w[2 * i + 1]), w[2 * i + 2])
            image = low_pass(insert_zeros(image), 2, 1, gain=4) + block.torgb(x, w[2 * i + 3])
        return image

    def forward(self, z, psi):
        return self.drawn(self.mapping(z, psi)[:, None].repeat(1, 2 * len(self.sides), 1))
