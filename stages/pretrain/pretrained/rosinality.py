"""The names that the rosinality port of StyleGAN2 to PyTorch gives its tensors, and ours for them.

In its checkpoints `g_ema` is the averaged generator, `d` the discriminator, and `latent_avg`, in converted ones, the
mean of w. Number 0 of `style` is the normalisation, which has no tensors.
"""

from collections.abc import Mapping

from torch import Tensor

from stages.pretrain.pretrained.layout import GENERATOR, Layout, conv_name, highest, within

START, MEAN = "input.input", "latent_avg"
LINEAR = {"weight": "weight", "bias": "bias"}
STYLED = {
    "conv.weight": "conv.weight",
    "conv.modulation.weight": "conv.style.weight",
    "conv.modulation.bias": "conv.style.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
}
TO_IMAGE = {
    "conv.weight": "to_image.weight",
    "conv.modulation.weight": "to_image.style.weight",
    "conv.modulation.bias": "to_image.style.bias",
    "bias": "image_bias",
}
RESIDUAL = {
    "conv1.0.weight": "first.weight",
    "conv1.1.bias": "first.bias",
    "conv2.1.weight": "second.weight",
    "conv2.2.bias": "second.bias",
    "skip.1.weight": "shortcut.weight",
}


def layout(tensors: Mapping[str, Tensor]) -> Layout:
    """Of a generator with these names."""
    levels = 2 + highest(tensors, r"to_rgbs\.(\d+)\.")
    mapping_layers = max(1, highest(tensors, r"style\.(\d+)\."))
    names = {START: "synthesis.constant", MEAN: "centres"}
    for number in range(mapping_layers):
        names |= within(f"style.{number + 1}", f"mapping.layers.{number}", LINEAR)
    for number in range(2 * levels - 1):
        ours = conv_name(number)
        names |= within(f"convs.{number - 1}" if number else "conv1", ours, STYLED)
        names[f"noises.noise_{number}"] = f"{ours}.noise"
    for level in range(levels):
        names |= within(f"to_rgbs.{level - 1}" if level else "to_rgb1", f"synthesis.blocks.{level}", TO_IMAGE)
    return Layout(GENERATOR, levels, mapping_layers, names, ".kernel", filter_sum=4.0, optional=frozenset({MEAN}))


def discriminator_layout(levels: int) -> Layout:
    """Of the discriminator of a generator with as many levels."""
    names = {
        "convs.0.0.weight": "from_image.weight",
        "convs.0.1.bias": "from_image.bias",
        "final_conv.0.weight": "last_conv.weight",
        "final_conv.1.bias": "last_conv.bias",
        **within("final_linear.0", "hidden", LINEAR),
        **within("final_linear.1", "logit", LINEAR),
    }
    for block in range(levels - 1):
        names |= within(f"convs.{block + 1}", f"blocks.{block}", RESIDUAL)
    return Layout("residual StyleGAN2 discriminator", levels, 0, names, ".kernel", filter_sum=1.0)
