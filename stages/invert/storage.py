"""Reading what the inversion left; the part that later stages need."""

from pathlib import Path

from torch import Tensor

from stages.common.samples import SampleSet, read_set
from stages.common.weights import load_weights

LATENTS = "latents.safetensors"


def read_inverted(folder: Path) -> tuple[SampleSet, Tensor]:
    """The views of the labelled images, and their latents (N, num_ws, w_dim) row by row."""
    tensors, _ = load_weights(folder / LATENTS)
    return read_set(folder), tensors["ws"]
