"""What a person takes away to annotate: images, their latents, and the files of each annotation tool."""

from pathlib import Path

import numpy as np
from torch import Tensor

from stages.annotate.latents import LATENTS, Origin
from stages.common.errors import UserError
from stages.common.exchange import FORMATS, POINT_FORMATS, Annotated, Pointed, write_images
from stages.common.exchange.points import numbered
from stages.common.spec import DatasetSpec
from stages.common.weights import save_weights

GUESSES = "voc_masks"  # the folder that masks are compared with when they come back in a format that says no more


def kind_of(spec: DatasetSpec) -> str:
    """The labels that are annotated, as `Sample` calls them: mask, keypoints or depth.

    Raises UserError for data with other labels.
    """
    if spec.classes and spec.labels == "masks":
        return "mask"
    if spec.keypoints and not spec.classes:
        return "keypoints"
    if spec.depth and not spec.classes:
        return "depth"
    raise UserError(
        "annotate: what is annotated are masks, keypoints or depth, and this data has none of them; take recipes "
        "without annotated"
    )


def write_export(
    folder: Path,
    names: list[str],
    images: np.ndarray,
    ws: Tensor,
    origin: Origin,
    spec: DatasetSpec,
    guess: np.ndarray | None,
) -> None:
    """images/<name>.png, latents.safetensors with a latent a name, and a folder for each tool.

    images: (N, H, W, C) uint8. ws: (N, num_ws, w_dim). guess: N labels to start from, as the tools show them, or None.
    Depth has no tool.
    """
    write_images(folder, dict(zip(names, images, strict=True)))
    save_weights(folder / LATENTS, dict(zip(names, ws, strict=True)), origin.config())
    kind, start = kind_of(spec), [None] * len(names) if guess is None else list(guess)
    if kind == "mask":
        masks = [Annotated(name, spec.size, mask) for name, mask in zip(names, start, strict=True)]
        for name, masked in FORMATS.items():
            masked.write(folder / name, masks, spec.classes)
    elif kind == "keypoints":
        points = [Pointed(name, spec.size, found) for name, found in zip(names, start, strict=True)]
        for name, pointed in POINT_FORMATS.items():
            pointed.write(folder / name, points, numbered(spec.keypoints))
