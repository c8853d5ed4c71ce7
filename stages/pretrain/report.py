"""What is written about a trained GAN: pictures and distances."""

from pathlib import Path

from torch import nn

from stages.common.tensors import ImageBank
from stages.pretrain.distances import distances, extract
from stages.pretrain.generator import Generator
from stages.pretrain.params import MeasureParams
from stages.pretrain.pictures import PICTURED, draw_fakes, draw_reals, sample_images

TRUNCATED_PSI = 0.7


def write_pictures(folder: Path, generator: Generator, reals: ImageBank, seed: int) -> None:
    """reals.png, fakes.png (truncated) and fakes_untruncated.png."""
    draw_reals(folder / "reals.png", reals[:PICTURED])
    draw_fakes(folder / "fakes.png", generator, TRUNCATED_PSI, seed)
    draw_fakes(folder / "fakes_untruncated.png", generator, 1.0, seed)


def measure(
    generator: Generator, reals: ImageBank, network: nn.Module, params: MeasureParams, seed: int
) -> dict[str, float]:
    """Distances of untruncated samples to the reals, in the feature space of `network`."""
    device = reals.device
    network = network.to(device)
    fakes = sample_images(generator, params.samples, 1.0, seed + 1).clamp(-1, 1).to(device)
    real_features = extract(network, reals[: params.samples]).cpu()
    return distances(real_features, extract(network, fakes).cpu(), params.neighbours)
