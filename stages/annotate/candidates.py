"""The images that may be annotated: drawn, described by features, scored by how uncertain their labels are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.annotate.naming import distinct, image_name
from stages.common.progress import Progress
from stages.common.tensors import to_arrays
from stages.invert.latents import LatentSource
from stages.label.labelling import LabelGenerator
from stages.pretrain.build import load_discriminator
from stages.pretrain.features import build_features
from stages.pretrain.generator import Generator

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Candidates:
    """N images, no two the same. names: N. ws: (N, num_ws, w_dim) on the CPU. images: (N, H, W, C) uint8. features:
    (N, D) float32. scores: (N,) how uncertain the labels are, 0 without a label generator."""

    names: list[str]
    ws: Tensor
    images: np.ndarray
    features: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def part(self, rows: np.ndarray) -> "Candidates":
        """These rows, in their order."""
        names = [self.names[row] for row in rows]
        return Candidates(
            names, self.ws[torch.from_numpy(rows)], self.images[rows], self.features[rows], self.scores[rows]
        )


def feature_network(discriminator: Path, generator: Generator, channels: int) -> Features:
    """Images (N, C, H, W) to features (N, D): the discriminator's last map, which knows what the images differ in; for
    a GAN that came without one, random convolutions."""
    if not discriminator.exists():
        return build_features("random_conv", channels).to(generator.device)
    critic = load_discriminator(discriminator).to(generator.device)
    return lambda images: critic.features(images)[-1].flatten(1)


@torch.no_grad()
def draw_candidates(
    source: LatentSource, features: Features, labeler: LabelGenerator | None, count: int, batch: int
) -> Candidates:
    """Images number 0 to count - 1 of the source; of equal ones the first. Scored where there is a label generator."""
    progress = Progress("annotate candidates", count, unit="image")
    latents, images, described, scores = [], [], [], []
    for start in range(0, count, batch):
        ws = source(range(start, min(start + batch, count)))
        drawn = source.generator.synthesis(ws).clamp(-1, 1)
        uncertainty = torch.zeros(len(ws)) if labeler is None else labeler(ws)[1].scores
        latents.append(ws.cpu())
        images.append(to_arrays(drawn))
        described.append(features(drawn).float().cpu().numpy())
        scores.append(uncertainty.cpu().numpy())
        progress.update(start + len(ws))
    arrays = np.concatenate(images)
    names = [image_name(image) for image in arrays]
    found = Candidates(names, torch.cat(latents), arrays, np.concatenate(described), np.concatenate(scores))
    return found.part(distinct(names))


@torch.no_grad()
def guess(labeler: LabelGenerator | None, ws: Tensor, batch: int) -> np.ndarray | None:
    """What a label generator says of latents (N, num_ws, w_dim), in the form of its head; None without one."""
    if labeler is None or not len(ws):
        return None
    device = labeler.generator.device
    return np.concatenate([labeler(part.to(device))[1].values.cpu().numpy() for part in ws.split(batch)])
