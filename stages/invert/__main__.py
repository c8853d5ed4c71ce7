"""Find the latents of the labelled images: train an encoder, then optimise each image's latents in W+."""

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.paths import publish, require, write_atomically
from stages.common.progress import Progress
from stages.common.samples import SampleSet, read_set
from stages.common.tensors import ImageBank, to_images
from stages.common.tracking import Tracker
from stages.common.weights import save_weights
from stages.invert.encoder import Encoder, build_encoder, finetune, regress
from stages.invert.inversion import invert
from stages.invert.losses import Distance, Weights
from stages.invert.params import InvertParams
from stages.invert.perceptual import load_distance
from stages.invert.results import draw_pairs, summarise, write_views
from stages.invert.views import make_views
from stages.pretrain.build import load_generator
from stages.pretrain.generator import Generator

LABELED, UNLABELED = Path("data/prepare/labeled"), Path("data/prepare/unlabeled")
GAN, DATA, MODELS, REPORTS = Path("models/pretrain"), Path("data/invert"), Path("models/invert"), Path("reports/invert")
LEARNABLE = ("mask", "keypoints", "depth", "class_id")


def main(params: InvertParams, shared: SharedParams, track: Tracker) -> None:
    """Read, train the encoder, invert, write."""
    device = pick_device(shared.device)
    generator = load_generator(require(GAN / "generator.safetensors", "pretrain")).to(device)
    distance = load_distance(params, GAN / "discriminator.safetensors").to(device)
    labeled = read_set(require(LABELED, "prepare"))
    images, labels = to_images(labeled.images).to(device), learnable_labels(labeled)
    views, view_labels, source = make_views(images, labels, params.views.copies, params.views.affine, shared.seed)
    print(f"invert: {len(labeled)} labelled images in {len(views)} views, on {device}", flush=True)
    weights = Weights.of(params.optimise)
    encoder = train_encoder(generator, distance, weights, params, shared.seed, track).to(device)
    batches = math.ceil(len(views) / params.optimise.batch)
    progress = Progress("invert optimise", params.optimise.steps * batches)
    result = invert(
        generator, encoder, views, distance, weights, params.optimise,
        lambda step, terms: progress.update(step, {name: float(value) for name, value in terms.items()}),
    )  # fmt: skip
    flagged = result.flagged(params.reject_above)
    with publish(MODELS) as folder:
        save_weights(folder / "encoder.safetensors", encoder.state_dict(), params.model_dump(mode="json"))
    with publish(DATA) as folder:
        write_views(folder, labeled, views, view_labels, source, result, flagged)
    with publish(REPORTS / "pictures") as folder:
        draw_pairs(folder / "pairs.png", generator, views, result, len(labeled))
    metrics = summarise(result, flagged, len(labeled))
    write_atomically(REPORTS / "metrics.json", json.dumps(metrics, indent=1).encode())
    track.metrics(metrics)
    track.artifact(REPORTS / "pictures" / "pairs.png", "pictures")


def learnable_labels(labeled: SampleSet) -> dict[str, Tensor]:
    """The labels that a label generator can learn, by name. Raises UserError when the set has none of them."""
    there = {name: labeled.labels(name) for name in LEARNABLE}
    found = {name: torch.from_numpy(values) for name, values in there.items() if values is not None}
    if not found:
        raise UserError(
            "invert: the labelled images have no masks, keypoints, depth or classes that a label generator could "
            "learn; add them to labeled/, or take recipes without gan"
        )
    return found


def train_encoder(
    generator: Generator, distance: Distance, weights: Weights, params: InvertParams, seed: int, track: Tracker
) -> Encoder:
    """Both phases, logged under encoder/."""
    device = generator.device
    reals = ImageBank(read_set(require(UNLABELED, "prepare")).images, device)
    torch.manual_seed(seed)
    encoder = build_encoder(generator, params.encoder, reals.arrays.shape[3]).to(device)
    phases = {
        "regress": (regress(encoder, generator, params.encoder, seed), params.encoder.regress_steps),
        "finetune": (
            finetune(encoder, generator, reals, distance, weights, params.encoder, seed),
            params.encoder.finetune_steps,
        ),
    }
    for phase, (steps, total) in phases.items():
        progress = Progress(f"invert encoder {phase}", total)
        for step, terms in enumerate(steps, start=1):
            values: dict[str, Tensor] = terms
            if step % 50 == 0 or step == total:
                shown = {name: float(value) for name, value in values.items()}
                progress.update(step, shown)
                track.metrics({f"encoder/{phase}_{name}": value for name, value in shown.items()}, step=step)
    return encoder.eval().requires_grad_(False)


if __name__ == "__main__":
    run_stage("invert", InvertParams, main, __doc__)
