"""The names that NVIDIA's stylegan2-ada-pytorch gives its tensors, and ours for them.

Its demodulated convolutions use their weights as they are, where ours scale them by 1 / sqrt(fan-in). Without the
small constant in the demodulation the factor would cancel; it is undone, so that the images are exactly the same.
"""

from collections.abc import Mapping

from torch import Tensor

from stages.pretrain.pretrained.layout import GENERATOR, START_SIDE, Layout, LayoutError, conv_name, highest, within

START, MEAN = "synthesis.b4.const", "mapping.w_avg"
LINEAR = {"weight": "weight", "bias": "bias"}
STYLED = {
    "weight": "conv.weight",
    "affine.weight": "conv.style.weight",
    "affine.bias": "conv.style.bias",
    "noise_const": "noise",
    "noise_strength": "noise_strength",
    "bias": "bias",
}
TO_IMAGE = {
    "weight": "to_image.weight",
    "affine.weight": "to_image.style.weight",
    "affine.bias": "to_image.style.bias",
    "bias": "image_bias",
}


def layout(tensors: Mapping[str, Tensor]) -> Layout:
    """Of a generator with these names. Raises LayoutError for one that reads class labels."""
    if any(name.startswith("mapping.embed.") for name in tensors):
        raise LayoutError("is a conditional generator, which reads class labels; take one without (mapping.embed)")
    levels = max(2, highest(tensors, r"synthesis\.b(\d+)\.").bit_length() - START_SIDE.bit_length() + 1)
    mapping_layers = 1 + highest(tensors, r"mapping\.fc(\d+)\.")
    names = {START: "synthesis.constant", MEAN: "centres"}
    for number in range(mapping_layers):
        names |= within(f"mapping.fc{number}", f"mapping.layers.{number}", LINEAR)
    convs = [f"synthesis.b{START_SIDE << (n + 1) // 2}.conv{(n + 1) % 2 if n else 1}" for n in range(2 * levels - 1)]
    for number, conv in enumerate(convs):
        names |= within(conv, conv_name(number), STYLED)
    for level in range(levels):
        names |= within(f"synthesis.b{START_SIDE << level}.torgb", f"synthesis.blocks.{level}", TO_IMAGE)
    return Layout(
        GENERATOR,
        levels,
        mapping_layers,
        names,
        filters="resample_filter",
        filter_sum=1.0,
        unscaled=frozenset(f"{conv}.weight" for conv in convs),
        optional=frozenset({MEAN}),
    )
