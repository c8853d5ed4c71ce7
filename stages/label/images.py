"""Label a folder of images that nobody labelled, for a person to correct: `python -m stages.label --images FOLDER`.

A command beside the DVC stage, which never runs it: it uses the models that `pretrain`, `invert` and `label` left, and
writes a folder of its own.
"""

from pathlib import Path

import numpy as np

from stages.common.device import pick_device
from stages.common.digests import file_digest
from stages.common.errors import UserError
from stages.common.params import load_params
from stages.common.paths import publish, require
from stages.common.progress import Progress
from stages.common.samples import read_index
from stages.common.spec import DatasetSpec, read_spec
from stages.common.tensors import ImageBank
from stages.invert.encoder import load_encoder
from stages.invert.params import InvertParams
from stages.invert.perceptual import load_distance
from stages.label.exports import TABLE, Exported, write_exports
from stages.label.heads import head_for
from stages.label.labelling import LabelGenerator, load_label_generator
from stages.label.prelabels import Models, prelabel
from stages.prepare.params import PrepareParams
from stages.prepare.reading import image_files, read_image, resized
from stages.prepare.records import Pixels
from stages.pretrain.build import load_generator
from stages.pretrain.generator import Generator

GAN = Path("models/pretrain")
ENCODER, INVERTED = Path("models/invert/encoder.safetensors"), Path("data/invert")
UNIT_M = 0.001


def label_images(folder: Path, into: Path | None, ensemble: Path) -> None:
    """Write the labels of the images of a folder to `into`, by default a folder beside it, `<its name>-labelled`.

    ensemble: the weights of the label generator. Raises UserError for images that cannot be read or are of another
    size, for models that are missing, and when there is something at `into` already.
    """
    out = beside(folder) if into is None else into
    refuse_taken(out)
    files = image_files(folder)
    params, shared = load_params("invert", InvertParams)
    prepare, _ = load_params("prepare", PrepareParams)
    spec, device = read_spec(), pick_device(shared.device)
    generator = load_generator(require(GAN / "generator.safetensors", "pretrain")).to(device)
    models = load_models(generator, params, ensemble)
    refuse_unfit(spec, models.labeler, ensemble)
    images = ImageBank(read_images(files, spec, prepare.resize is not None), device)
    print(f"label: {len(images)} images of {folder}, on {device}", flush=True)
    batches = -(-len(images) // params.optimise.batch)
    progress = Progress("label images", params.optimise.steps * batches)
    found = prelabel(
        models, images, lambda step, terms: progress.update(step, {name: float(v) for name, v in terms.items()})
    )
    with publish(out) as partial:
        write_exports(partial, files, found, Exported(spec, models.labeler.head.kind, depth_unit(prepare)))
    print(f"label: {out}: {len(images)} images, {int(found.flagged.sum())} flagged; {TABLE} lists first what to check")


def beside(folder: Path) -> Path:
    """`<its name>-labelled` in the same place; of `.` and the like the name is looked up."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}-labelled")


def refuse_taken(out: Path) -> None:
    """Raises UserError when there is something at this place."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists():
        raise UserError(f"{out}: is there already, perhaps with labels of yours; name a new folder with --into")


def load_models(generator: Generator, params: InvertParams, ensemble: Path) -> Models:
    """What labels real images, on the generator's device. Raises UserError naming the stage whose model is missing."""
    encoder = load_encoder(require(ENCODER, "invert"), generator)
    distance = load_distance(params, GAN / "discriminator.safetensors").to(generator.device)
    median = float(read_index(require(INVERTED, "invert"))["error"].median())
    return Models(encoder, distance, params, load_label_generator(require(ensemble, "label"), generator), median)


def refuse_unfit(spec: DatasetSpec, labeler: LabelGenerator, ensemble: Path) -> None:
    """Raises UserError when the models were trained for other images or labels than `prepare` last laid out, or the
    label generator with another encoder than the one that is there."""
    learnt = head_for(spec, sigma=1.0)
    same = (learnt.kind, learnt.outputs) == (labeler.head.kind, labeler.head.outputs)
    if tuple(spec.size) != tuple(labeler.generator.size) or not same:
        raise UserError(
            f"{ensemble}: was trained for other images or labels than data/prepare has; run `dvc repro label`"
        )
    learnt_with = ensemble.with_name(ENCODER.name)
    if learnt_with.is_file() and file_digest(learnt_with) != file_digest(ENCODER):
        raise UserError(f"{ensemble}: was trained with another encoder than {ENCODER}; run `dvc repro label`")


def read_images(files: list[Path], spec: DatasetSpec, resize: bool) -> np.ndarray:
    """(N, H, W, C) uint8 images in the size and colours of the data set, `resize`d to it if that is asked for.

    Raises UserError for the first that is unreadable or, unless `resize`, of another size.
    """
    return np.stack([_read(path, spec, resize) for path in files])


def _read(path: Path, spec: DatasetSpec, resize: bool) -> np.ndarray:
    pixels = read_image(path, spec, any_size=True)
    height, width = spec.size
    if pixels.shape[:2] == (height, width):
        return pixels
    if not resize:
        raise UserError(
            f"{path}: {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), but the generator draws {height} "
            f"x {width}; bring it to that size, or set prepare.resize to [{height}, {width}]"
        )
    return resized(Pixels(pixels), spec.size).image


def depth_unit(params: PrepareParams) -> float:
    """Metres a step of a depth in 16 bits: those that the user's own dataset.yaml says, else one thousandth."""
    described = None if params.source != "folder" or params.path is None else params.path / "dataset.yaml"
    if described is None or not described.is_file():
        return UNIT_M
    from stages.prepare.sources.dataset_yaml import read_dataset_yaml

    found = read_dataset_yaml(described).depth
    return UNIT_M if found is None else found.unit_m
