"""Train the label generator of a recipe: per-pixel MLPs over the GAN's features, from labelled images with latents."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from stages.common.checkpoint import WorkFolder
from stages.common.cli import execute, exits, run_command
from stages.common.device import pick_device
from stages.common.digests import work_digest
from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.paths import publish, require, write_atomically
from stages.common.progress import Progress
from stages.common.recipes import check_recipe
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.common.weights import save_weights
from stages.invert.storage import read_inverted
from stages.label.ensemble import Ensemble
from stages.label.heads import Head, head_for
from stages.label.images import label_images
from stages.label.labelling import ensemble_config
from stages.label.params import LabelParams
from stages.label.pixels import PixelBank, build_bank, refuse_large_bank
from stages.label.quality import fold_pools, make_folds, predict_held_out
from stages.label.results import Inverted, draw_cross_validation, labels_of, summarise, usable
from stages.label.sources import MODELS, REPORTS, SOURCES, is_empty, write_nothing
from stages.label.training import new_ensemble, train_ensemble
from stages.pretrain.build import load_generator
from stages.pretrain.generator import Generator

GENERATOR = Path("models/pretrain/generator.safetensors")
ENCODER = Path("models/invert/encoder.safetensors")
ENSEMBLE = "ensemble.safetensors"  # in the folder of its recipe
RecipeOption = Annotated[str, typer.Option(help="Whose label generator: gan or annotated.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Instead, label the images of a folder, for a person to correct."),
]
IntoOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Where those labels go; by default beside it, as NAME-labelled.")
]


@dataclass(frozen=True)
class Job:
    """What both trainings share: pixels, head, params, seed, where to log."""

    bank: PixelBank
    head: Head
    params: LabelParams
    seed: int
    work: WorkFolder
    track: Tracker

    def train(self, name: str, members: int, pools: Sequence[Tensor]) -> Ensemble:
        """Train, or go on with, the ensemble of this name."""
        state = new_ensemble(self.bank, members, self.head, self.params, self.seed)
        saved = self.work.load(f"{name}.pt")
        if saved is not None:
            state.restore(saved)
        progress = Progress(f"label {name}", self.params.steps, state.step)
        for losses in train_ensemble(state, self.bank, pools, self.head, self.params, self.seed):
            if state.step % self.params.log_every == 0 or state.step == self.params.steps:
                loss = float(losses.mean())
                progress.update(state.step, {"loss": loss})
                self.track.metrics({f"label/{name}_loss": loss}, step=state.step)
            if state.step % self.params.save_every == 0 or self.work.overdue():
                self.work.save(state.save(), f"{name}.pt")
        return state.ensemble.eval()


def main(params: LabelParams, shared: SharedParams, track: Tracker, recipe: str = "gan") -> None:
    """Read, train, cross-validate, write."""
    source, reports, spec = SOURCES[recipe], REPORTS / recipe, read_spec()
    require(source.data, source.stage)
    if is_empty(source):
        print(f"label: {source.data} holds no image, so the recipe {recipe} gets no label generator", flush=True)
        write_nothing(recipe)
        return
    generator = load_generator(require(GENERATOR, "pretrain")).to(pick_device(shared.device))
    views, ws, facts = read_inverted(source.data)
    inverted = usable(views, ws, params.drop_flagged)
    head = head_for(spec, params.sigma, params.least_peak)
    labels = labels_of(inverted.views, head)
    params = params.model_copy(update={"folds": fitting_folds(params.folds, int(inverted.group.max()) + 1)})
    refuse_large_bank(generator, len(labels), head, params)
    bank = build_bank(
        generator,
        inverted.ws,
        labels,
        head,
        inverted.group,
        params.pixels_per_image,
        params.balanced_share,
        params.context,
        shared.seed,
        params.precision,
    )
    work = WorkFolder("label", work_digest("label", [params, shared.seed], [GENERATOR, source.data]))
    print(f"label: {len(bank.labels)} pixels of {len(labels)} latents, {bank.features.shape[1]} features", flush=True)
    job = Job(bank, head, params, shared.seed, work, track)
    everything = torch.arange(len(bank.labels), device=bank.labels.device)
    ensemble = job.train("ensemble", params.members, [everything] * params.members)
    metrics = {"label/pixels": float(len(bank.labels)), "label/latents": float(len(labels))}
    with publish(reports / "pictures") as folder:
        if params.folds:
            metrics |= cross_validate(job, generator, inverted, spec.classes, folder)
    with publish(MODELS / recipe) as folder:
        config = ensemble_config(ensemble, head, bank.features.shape[1], params.context)
        save_weights(folder / ENSEMBLE, ensemble.state_dict(), config | annotator_of(facts))
        # The ensemble's labels hold for latents near those that this encoder finds, so that the two belong together.
        # Where none led the latents, none may lead those that the ensemble labels.
        if facts.get("reencode", True):
            shutil.copyfile(require(ENCODER, "invert"), folder / "encoder.safetensors")
    write_atomically(reports / "metrics.json", json.dumps(metrics, indent=1).encode())
    track.metrics(metrics)
    if params.folds:
        track.artifact(reports / "pictures" / "cross_validation.png", "pictures")
    work.clear()


def annotator_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Who annotated the images, where somebody did for this purpose."""
    return {name: str(facts[name]) for name in ("annotator",) if name in facts}


def fitting_folds(folds: int, groups: int) -> int:
    """So many folds, or one a group where there are fewer groups of labelled images, which is printed.

    Raises UserError when they cannot be divided into two.
    """
    if folds == 1:
        raise UserError("label.folds: 1 leaves nothing to learn from; choose 0, or 2 and more")
    if folds and groups < 2:
        raise UserError(f"label.folds: {folds}, but the labelled images kept are of one group; choose 0")
    if folds > groups:
        print(
            f"label: note: {groups} folds, not label.folds: {folds}, for so many labelled images (or groups) are kept",
            flush=True,
        )
    return min(folds, groups)


def cross_validate(
    job: Job, generator: Generator, inverted: Inverted, classes: Sequence[str], folder: Path
) -> dict[str, float]:
    """Label quality on labelled images of which the labelling members saw nothing, nor of others of their group."""
    originals = np.flatnonzero(inverted.views.index["view"].to_numpy() == 0)
    folds = make_folds(int(inverted.group.max()) + 1, job.params.folds, job.seed)
    ensemble = job.train(
        "cross-validation",
        job.params.folds * job.params.fold_members,
        fold_pools(job.bank, folds, job.params.fold_members),
    )
    held_out = predict_held_out(
        generator,
        ensemble,
        job.head,
        inverted.ws[originals],
        folds[inverted.group[originals]],
        job.params.fold_members,
        job.params.context,
    )
    truth, images = labels_of(inverted.views, job.head)[originals], inverted.views.images[originals]
    draw_cross_validation(folder / "cross_validation.png", images, truth, held_out.predictions, job.head, len(classes))
    return summarise(held_out.predictions, truth, job.head, classes)


def command(recipe: RecipeOption = "gan", images: ImagesOption = None, into: IntoOption = None) -> None:
    """The stage, or with `--images` the command that uses its model."""
    if images is None and into is None:
        execute("label", LabelParams, main, recipe, known=SOURCES)
        return
    with exits("nothing was written"):
        check_recipe(recipe, SOURCES)
        if images is None:
            raise UserError("--into: says where the labels of --images go; give both, or neither to run the stage")
        label_images(images, into, MODELS / recipe / ENSEMBLE)


if __name__ == "__main__":
    run_command(command, __doc__)
