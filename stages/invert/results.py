"""What the inversion leaves on disk: views with latents, pairs to look at, figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from stages.common.pictures import save_png, strips
from stages.common.samples import Sample, SampleSet, write_set
from stages.common.tensors import to_arrays
from stages.common.weights import save_weights
from stages.invert.inversion import Inversion
from stages.invert.storage import LATENTS
from stages.invert.views import Labels
from stages.pretrain.generator import Generator
from stages.pretrain.pictures import picture_scale

PAIRS = 16


def write_views(
    folder: Path, labeled: SampleSet, views: Tensor, labels: Labels, source: Tensor, result: Inversion, flagged: Tensor
) -> pd.DataFrame:
    """A sample set of the views with their labels and errors, and their latents in the same order."""
    save_weights(folder / LATENTS, {"ws": result.ws, "start": result.start}, {})
    return write_set(folder, _samples(labeled, views, labels, source, result, flagged))


def _samples(
    labeled: SampleSet, views: Tensor, labels: Labels, source: Tensor, result: Inversion, flagged: Tensor
) -> Iterator[Sample]:
    arrays, values = to_arrays(views), {name: label.cpu().numpy() for name, label in labels.items()}
    for i, row in enumerate(source.tolist()):
        facts = {
            "source_key": str(labeled.index["key"][row]),
            "group": str(labeled.index["group"][row]),
            "view": i // len(labeled),
            "error": float(result.error[i]),
            "start_error": float(result.start_error[i]),
            "flagged": bool(flagged[i]),
        }
        own: dict[str, Any] = {name: label[i] for name, label in values.items()}
        if "class_id" in own:
            own["class_id"] = int(own["class_id"])
        yield Sample(f"view-{i:06d}", arrays[i], facts=facts, **own)


@torch.no_grad()
def draw_pairs(path: Path, generator: Generator, images: Tensor, result: Inversion, count: int) -> Path:
    """Columns of evenly chosen images among the first `count`; rows: real, encoder's, optimised reconstruction."""
    chosen = torch.linspace(0, count - 1, min(PAIRS, count)).long()
    rows = [images[chosen], generator.synthesis(result.start[chosen]), generator.synthesis(result.ws[chosen])]
    return save_png(path, strips([to_arrays(row) for row in rows], scale=picture_scale(generator.size)))


def summarise(result: Inversion, flagged: Tensor, count: int) -> dict[str, float]:
    """Figures over the `count` labelled images; moved copies are left out, but for their share of flagged ones."""
    return {
        "invert/error": float(result.error[:count].mean()),
        "invert/error_encoder": float(result.start_error[:count].mean()),
        "invert/perceptual": float(result.perceptual[:count].mean()),
        "invert/rmse": float(result.pixel[:count].mean().sqrt()),
        "invert/flagged": float(flagged[:count].sum()),
        "invert/flagged_share_of_views": float(flagged.float().mean()),
        "invert/latents": float(len(flagged)),
    }
