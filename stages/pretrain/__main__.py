"""Train a StyleGAN2 on the unlabelled images, or take a trained one; writes generator and discriminator, sample grids,
distances to real."""

import json
import shutil
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from stages.common.checkpoint import WorkFolder
from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.digests import work_digest
from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.paths import publish, require, write_atomically
from stages.common.samples import read_set
from stages.common.tensors import ImageBank
from stages.common.tracking import Tracker
from stages.pretrain.build import Gan, save_network
from stages.pretrain.clusters import cluster_images, cluster_shares
from stages.pretrain.features import build_features
from stages.pretrain.generator import channels_at, doublings, start_size
from stages.pretrain.params import PretrainParams
from stages.pretrain.pretrained import load_pretrained
from stages.pretrain.report import measure, write_pictures
from stages.pretrain.run import Run, make_accelerator
from stages.pretrain.state import TrainingState, new_state
from stages.pretrain.training import Trainer

UNLABELED = Path("data/prepare/unlabeled")
MODELS, REPORTS = Path("models/pretrain"), Path("reports/pretrain")
FEWEST_IMAGES, FEWEST_A_CLUSTER = 50, 10


def main(params: PretrainParams, shared: SharedParams, track: Tracker) -> None:
    """Read, train or take a trained generator, write."""
    reals = read_set(require(UNLABELED, "prepare"))
    accelerator = make_accelerator(pick_device(shared.device).type, params.precision)
    images = ImageBank(reals.images, accelerator.device)
    check(params, images)
    features = build_features(params.measure.features, images.channels, params.measure.inception_weights)
    run = None
    if params.weights is None:
        run = start_run(params, images, shared.seed, accelerator, track)
        run.train()
        gan = Gan(params.network, images.size, images.channels, run.state.average, run.state.discriminator)
    else:
        gan = take_generator(params.weights, images, shared.seed, accelerator.device)
    if not accelerator.is_main_process:
        return
    with publish(REPORTS / "pictures") as folder:
        if run:
            shutil.copytree(run.pictures, folder, dirs_exist_ok=True)
        write_pictures(folder, gan.generator, images, shared.seed)
    metrics = measure(gan.generator, images, features, params.measure, shared.seed)
    write_atomically(REPORTS / "stats.jsonl", run.stats.path.read_bytes() if run else b"")
    write_atomically(REPORTS / "metrics.json", json.dumps(metrics, indent=1).encode())
    with publish(MODELS) as folder:
        save_network(folder / "generator.safetensors", gan.generator, gan.config)
        if gan.discriminator is not None:
            save_network(folder / "discriminator.safetensors", gan.discriminator, gan.config)
    track.metrics(metrics)
    track.artifact(REPORTS / "pictures" / "fakes.png", "pictures")
    track.dataset(reals.index, "unlabeled", UNLABELED, "training")
    if run:
        run.work.clear()


def start_run(
    params: PretrainParams,
    images: ImageBank,
    seed: int,
    accelerator: Accelerator,
    track: Tracker,
) -> Run:
    """A training from the start, or from where a killed one was."""
    clusters = find_clusters(images, params, seed)
    trainer = Trainer(images, params, seed, accelerator, clusters)
    shares = cluster_shares(clusters, max(params.network.clusters, 1))
    state = new_state(params, images.size, images.channels, seed, accelerator.device, shares)
    training = params.model_dump(mode="json", exclude={"measure", "log_every", "sample_every", "save_every"})
    work = WorkFolder("pretrain", work_digest("pretrain", [training, seed], [UNLABELED]))
    run = Run(trainer, state, work, track)
    resumed = run.resume()
    describe(state, images, trainer, resumed)
    return run


def take_generator(path: Path, images: ImageBank, seed: int, device: torch.device) -> Gan:
    """The trained generator of a file. Raises UserError when it draws images of another size or of other channels."""
    gan = load_pretrained(path, seed)
    if (gan.size, gan.channels) != (images.size, images.channels):
        raise UserError(
            f"{path}: draws images of {gan.size[0]}x{gan.size[1]}x{gan.channels}, but the unlabelled images have "
            f"{images.size[0]}x{images.size[1]}x{images.channels}; set prepare.resize to its size, or take another "
            "generator"
        )
    parameters = sum(p.numel() for p in gan.generator.parameters()) / 1e6
    judge = "with its discriminator" if gan.discriminator else "without a discriminator (see invert.perceptual)"
    print(f"pretrain: a generator of {parameters:.2f} M parameters taken from {path}, {judge}", flush=True)
    gan.generator.to(device)
    return gan


def find_clusters(images: ImageBank, params: PretrainParams, seed: int) -> Tensor:
    """As `Trainer` takes them: without clusters, all images are in cluster 0."""
    if not params.network.clusters:
        return torch.zeros(1, len(images), dtype=torch.long)
    return cluster_images(images, params.network.clusters, params.mirror, seed)


def check(params: PretrainParams, images: ImageBank) -> None:
    """Raises UserError when there is too little to measure on, or the GAN cannot be trained."""
    if len(images) < FEWEST_IMAGES:
        raise UserError(f"{UNLABELED}: {len(images)} unlabelled images; a GAN needs at least {FEWEST_IMAGES}")
    if params.weights is None:
        check_training(params, images)


def check_training(params: PretrainParams, images: ImageBank) -> None:
    """Raises UserError when the image size does not fit a GAN, or there is too little to train on."""
    if len(images) < FEWEST_A_CLUSTER * params.network.clusters:
        raise UserError(
            f"pretrain.network.clusters: {params.network.clusters} for {len(images)} unlabelled images; take at most "
            f"{len(images) // FEWEST_A_CLUSTER}, so that each has about {FEWEST_A_CLUSTER} images, or 0 for none"
        )
    if params.images < params.batch:
        raise UserError(f"pretrain.images: {params.images} is less than one batch ({params.batch}); raise it")
    try:
        start_size(images.size)
    except ValueError as error:
        raise UserError(f"prepare.resize: {error}") from error
    finest = doublings(images.size)
    if not channels_at(finest, params.network.channel_base, 1):
        raise UserError(
            f"pretrain.network.channel_base: {params.network.channel_base} must be at least {4 * 2**finest}"
        )


def describe(state: TrainingState, images: ImageBank, trainer: Trainer, resumed: bool) -> None:
    """The start line."""
    sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (state.generator, state.discriminator)]
    begin = f"going on at step {state.step}" if resumed else "from the start"
    print(
        f"pretrain: {len(images)} images of {images.size[0]}x{images.size[1]}x{images.channels} on "
        f"{trainer.accelerator.device}, "
        f"generator {sizes[0]:.2f} M and discriminator {sizes[1]:.2f} M parameters, {trainer.steps} steps, {begin}",
        flush=True,
    )


if __name__ == "__main__":
    run_stage("pretrain", PretrainParams, main, __doc__)
