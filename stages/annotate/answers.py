"""What a person said of the exported images, bound to their latents by the names, which are made of the content."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from stages.annotate.export import GUESSES, kind_of
from stages.annotate.latents import Latents, Origin, check_origin, images_of
from stages.common.errors import UserError
from stages.common.exchange import read, read_points
from stages.common.exchange.points import numbered
from stages.common.spec import DatasetSpec
from stages.pretrain.generator import Generator

PERSON, ORACLE = "person", "oracle"
LEAST = 2  # images: with fewer there is nothing to cross-validate


@dataclass(frozen=True)
class Annotations:
    """N annotated images. names: N. ws: (N, num_ws, w_dim). images: (N, H, W, C) uint8. labels: masks (N, H, W) uint8,
    keypoints (N, K, 3) or depth (N, H, W). annotator: person or oracle."""

    names: list[str]
    ws: Tensor
    images: np.ndarray
    labels: np.ndarray
    annotator: str

    def __len__(self) -> int:
        return len(self.names)


def read_answers(
    path: Path, latents: Latents, origin: Origin, spec: DatasetSpec, generator: Generator, batch: int
) -> Annotations:
    """The annotated images with their latents, in the order of the names.

    Raises UserError when the latents are of another generator, when no two images are annotated, and for unknown images
    or classes, other sizes or damaged files.
    """
    check_origin(latents, origin)
    if kind_of(spec) == "mask":
        found = read(path, spec.size, spec.classes, latents.by_name, latents.file.parent / GUESSES)
    else:
        found = read_points(path, spec.size, numbered(spec.keypoints), latents.by_name)
    if len(found) < LEAST:
        raise UserError(
            f"{path}: {len(found) or 'none'} of the {len(latents.by_name)} images is annotated; submit annotations of "
            f"at least {LEAST} in the tool and export again"
        )
    names = sorted(found)
    left = len(latents.by_name) - len(names)
    print(f"annotate: {len(names)} images annotated by a person, {left} left out", flush=True)
    images = images_of(latents, names, generator, batch)
    return Annotations(names, latents.stacked(names), images, np.stack([found[name] for name in names]), PERSON)
