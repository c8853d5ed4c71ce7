"""The latents of exported images, by name, and where they are from."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.annotate.naming import image_name
from stages.common.encoding import open_picture
from stages.common.errors import UserError
from stages.common.exchange.contract import IMAGES
from stages.common.tensors import to_arrays
from stages.common.weights import load_weights
from stages.pretrain.generator import Generator

LATENTS = "latents.safetensors"
ROUNDING = 3  # grey levels by which the same latent's image may differ between machines and batches


@dataclass(frozen=True)
class Origin:
    """generator, encoder: digests of the weights that made the latents; no encoder when they are as they were drawn."""

    generator: str
    encoder: str

    def config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Latents:
    """file: where they lie. by_name: (num_ws, w_dim) each."""

    file: Path
    by_name: dict[str, Tensor]
    origin: Origin

    def stacked(self, names: list[str]) -> Tensor:
        """(N, num_ws, w_dim) of these names."""
        return torch.stack([self.by_name[name] for name in names])


def read_latents(file: Path) -> Latents:
    """The latents of an export. Raises UserError when the file is none."""
    tensors, config = load_weights(file)
    if set(config) != {"generator", "encoder"}:
        raise UserError(f"{file}: not the latents of an export of annotate; copy it from data/annotate/export again")
    return Latents(file, tensors, Origin(**config))


def latents_beside(answers: Path, own: Path) -> Path:
    """The latents of the images that were annotated: beside the answers, in the folder above, or the stage's own."""
    places = [answers, answers.parent, answers.parent.parent]
    return next((place / LATENTS for place in places if (place / LATENTS).is_file()), own / LATENTS)


def check_origin(latents: Latents, origin: Origin) -> None:
    """Raises UserError when the latents are of another generator, or drawn in another way than the params say now."""
    if latents.origin.generator != origin.generator:
        raise UserError(
            f"{latents.file}: latents of another generator than models/pretrain holds now; annotate the images of the "
            "present export, or bring back the params and data that the old one was trained with"
        )
    if bool(latents.origin.encoder) != bool(origin.encoder):
        drawn = "true" if latents.origin.encoder else "false"
        raise UserError(f"{latents.file}: drawn with annotate.reencode: {drawn}; set it to that in params.yaml")
    if latents.origin.encoder != origin.encoder:
        print(f"annotate: note: the encoder has been trained again since {latents.file} was written", flush=True)


@torch.no_grad()
def images_of(latents: Latents, names: list[str], generator: Generator, batch: int) -> np.ndarray:
    """(N, H, W, C) uint8: what the generator makes of the latents of these names.

    Raises UserError when an image is not the one that its name was made from.
    """
    ws = latents.stacked(names).to(generator.device)
    images = np.concatenate([to_arrays(generator.synthesis(part).clamp(-1, 1)) for part in ws.split(batch)])
    for name, image in zip(names, images, strict=True):
        if image_name(image) != name:
            _compare(name, image, latents.file.parent / IMAGES / f"{name}.png")
    return images


def _compare(name: str, image: np.ndarray, file: Path) -> None:
    """Another machine, or another batch, rounds otherwise: then the exported image itself must have the name, and be
    nearly the same."""
    if not file.is_file():
        raise UserError(
            f"{file}: not there; the generator draws {name} a little differently than when it was exported, so copy "
            "images/ of the export beside its latents"
        )
    try:
        pixels = np.asarray(open_picture(file))
    except ValueError as error:
        raise UserError(f"{file}: not a readable image ({error}); copy it from the export again") from error
    exported = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if image_name(exported) != name:
        raise UserError(f"{file}: the image was changed after the export; copy it from the export again")
    if np.abs(exported.astype(int) - image).max() > ROUNDING:
        raise UserError(f"{file.parent.parent / LATENTS}: the latent of {name} makes another image; export again")
