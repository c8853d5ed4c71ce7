"""Reading what the inversion left; the part that later stages need."""

from pathlib import Path
from typing import Any

from torch import Tensor

from stages.common.samples import SampleSet, read_set
from stages.common.weights import load_weights

LATENTS = "latents.safetensors"


def read_inverted(folder: Path) -> tuple[SampleSet, Tensor, dict[str, Any]]:
    """The views of the labelled images, their latents (N, num_ws, w_dim) row by row, and what is known of all of
    them."""
    tensors, facts = load_weights(folder / LATENTS)
    return read_set(folder), tensors["ws"], facts
