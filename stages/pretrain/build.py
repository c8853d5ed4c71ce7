"""Networks from params, and from the weights that a run left."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.weights import load_into, load_weights, save_weights
from stages.pretrain.discriminator import Discriminator
from stages.pretrain.generator import Generator, Pair
from stages.pretrain.params import NetworkParams


def build_generator(params: NetworkParams, size: Pair, channels: int) -> Generator:
    """A generator of images (channels, *size) with fresh weights."""
    return Generator(
        size,
        channels,
        params.z_dim,
        params.w_dim,
        params.mapping_layers,
        params.channel_base,
        params.channel_limit,
        bounded=params.output == "tanh",
        mapping_rate=params.mapping_rate,
        clusters=params.clusters,
    )


def build_discriminator(params: NetworkParams, size: Pair, channels: int) -> Discriminator:
    """A discriminator of images (channels, *size) with fresh weights."""
    return Discriminator(size, channels, params.channel_base, params.channel_limit, params.clusters)


@dataclass(frozen=True)
class Gan:
    """What the stage leaves: the averaged generator, and the discriminator where there is one.

    network: the params that built both. size, channels: of the images.
    """

    network: NetworkParams
    size: Pair
    channels: int
    generator: Generator
    discriminator: Discriminator | None

    @property
    def config(self) -> dict[str, Any]:
        """What `load_generator` needs beside the weights."""
        return {"network": self.network.model_dump(mode="json"), "size": list(self.size), "channels": self.channels}


def save_network(path: Path, network: Generator | Discriminator, config: dict[str, Any]) -> None:
    """Write the weights with their config."""
    save_weights(path, network.state_dict(), config)


def load_generator(path: Path) -> Generator:
    """The averaged generator, frozen, on the CPU."""
    tensors, config = load_weights(path)
    generator = build_generator(NetworkParams(**config["network"]), tuple(config["size"]), config["channels"])
    load_into(generator, tensors)
    return generator


def load_discriminator(path: Path) -> Discriminator:
    """The discriminator, frozen, on the CPU."""
    tensors, config = load_weights(path)
    critic = build_discriminator(NetworkParams(**config["network"]), tuple(config["size"]), config["channels"])
    load_into(critic, tensors)
    return critic
