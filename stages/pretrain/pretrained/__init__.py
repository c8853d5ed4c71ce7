"""StyleGAN2 generators that were trained elsewhere, in the layouts of two published ports, as ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.weights import load_into
from stages.pretrain.build import Gan, build_discriminator, build_generator
from stages.pretrain.discriminator import Discriminator
from stages.pretrain.generator import Generator
from stages.pretrain.params import NetworkParams
from stages.pretrain.pretrained import ada, rosinality
from stages.pretrain.pretrained.layout import Layout, LayoutError, fitted, network_of, renamed
from stages.pretrain.pretrained.reading import named_tensors, read_content

MEAN_SAMPLES = 10_000
GENERATOR_KEYS = ("g_ema", "G_ema")


def load_pretrained(path: Path, seed: int) -> Gan:
    """The averaged generator of a file, frozen, on the CPU, and the discriminator of a rosinality checkpoint.

    The file is a .safetensors or a torch file with the tensors of the generator by name, or a checkpoint that has them
    under `g_ema` or `G_ema`. Images are the same as of the network that was saved, run in float32 with its fixed
    noise. Two things are not in the file: ADA's `conv_clamp`, which cuts activations beyond 256 for the sake of its
    half-precision layers, is left out, and the mapping network is taken to have the published learning rate multiplier
    of 0.01. Where the file has no mean of w, 10,000 latents from `seed` give it.

    Raises UserError when the file is missing or unreadable, holds pickled objects, or is no such generator.
    """
    content = read_content(path)
    try:
        return _assembled(content, seed)
    except LayoutError as error:
        raise UserError(f"{path}: {error}") from error


def _assembled(content: Mapping[str, Any], seed: int) -> Gan:
    tensors = _generator_tensors(content)
    layout = recognise(tensors)
    ours = renamed(tensors, layout)
    network, size, channels = network_of(ours, layout)
    generator = build_generator(network, size, channels)
    state = generator.state_dict()
    load_into(generator, state | fitted(ours, state, layout))
    if "centres" not in ours:
        generator.centres.copy_(sampled_mean(generator, seed))
    return Gan(network, size, channels, generator, _discriminator(content, network, layout, channels))


def recognise(tensors: Mapping[str, Tensor]) -> Layout:
    """Whose names these are. Raises LayoutError for others, and for a generator that reads class labels."""
    for known in (rosinality, ada):
        if known.START in tensors:
            return known.layout(tensors)
    first = f", its first is {next(iter(tensors))}" if tensors else ""
    raise LayoutError(
        f"none of its {len(tensors)} tensors is {rosinality.START} (the rosinality port) or {ada.START} (NVIDIA's "
        f"stylegan2-ada-pytorch){first}; give the state dict of a StyleGAN2 generator of one of the two"
    )


@torch.no_grad()
def sampled_mean(generator: Generator, seed: int) -> Tensor:
    """(1, w_dim): the mean of w over 10,000 latents."""
    z = torch.randn(MEAN_SAMPLES, generator.z_dim, generator=seeded(seed, 4))
    return generator.mapping(z).mean(dim=0, keepdim=True)


def _generator_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    nested = next((content[key] for key in GENERATOR_KEYS if isinstance(content.get(key), Mapping)), content)
    mean = content.get(rosinality.MEAN)
    return named_tensors(nested) | ({rosinality.MEAN: mean} if isinstance(mean, Tensor) else {})


def _discriminator(
    content: Mapping[str, Any], network: NetworkParams, layout: Layout, channels: int
) -> Discriminator | None:
    """Of a rosinality checkpoint, where it has one."""
    if not isinstance(content.get("d"), Mapping):
        return None
    theirs = rosinality.discriminator_layout(layout.levels)
    critic = build_discriminator(network, theirs.size, channels)
    state = critic.state_dict()
    load_into(critic, fitted(renamed(named_tensors(content["d"]), theirs), state, theirs))
    return critic
