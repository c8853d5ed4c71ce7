"""Take in what a person corrected: `python -m stages.label.corrected ANNOTATIONS IMAGES --into corrected`.

The way back from `python -m stages.label --images`, and from any other annotations of the data set's classes: the
images that are annotated, and their labels, laid out like `labeled/` of a data folder.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from stages.common.cli import exits, run_command
from stages.common.encoding import encode_png
from stages.common.errors import UserError
from stages.common.exchange import Pointed, coco_points, read, read_points, write_images
from stages.common.exchange.points import numbered
from stages.common.exchange.voc_masks import MASKS
from stages.common.paths import publish, write_atomically
from stages.common.spec import DatasetSpec, read_spec
from stages.label.exports import SCALES
from stages.label.images import refuse_taken
from stages.prepare.reading import image_files, read_image
from stages.prepare.sources.keypoint_json import NAME

AnnotationsArgument = Annotated[Path, typer.Argument(help="What the tool exported: a file, a folder or a .zip.")]
ImagesArgument = Annotated[Path, typer.Argument(help="The folder of the images that were annotated.")]
IntoOption = Annotated[Path, typer.Option(metavar="FOLDER", help="Where images and labels go, laid out like labeled/.")]


def take_in(annotations: Path, images: Path, into: Path) -> int:
    """Write the annotated images and their labels to `into`, a folder that is new or empty; how many there are.

    Masks or keypoints, as `data/prepare` has them. Raises UserError for annotations of other images, sizes or classes,
    when none of the images is annotated, and when there is something at `into` already.
    """
    refuse_taken(into)
    refuse_two_answers(annotations)
    spec, files = read_spec(), {file.stem: file for file in image_files(images)}
    guesses = images.parent if (images.parent / SCALES).is_file() else None
    found = corrected_labels(annotations, spec, files, guesses)
    if not found:
        raise UserError(
            f"{annotations}: none of the {len(files)} images of {images} is annotated; annotate one at least"
        )
    with publish(into) as folder:
        write_images(folder, {name: picture(files[name], spec) for name in found})
        write_labels(folder, found, spec)
    left = len(files) - len(found)
    print(f"label: {into}: {len(found)} annotated images with their labels", flush=True)
    if left:
        print(
            f"label: {left} other images of {images} are left out: {annotations} has no annotation of theirs",
            flush=True,
        )
    return len(found)


def refuse_two_answers(annotations: Path) -> None:
    """Raises UserError for a folder of masks that has another annotation file too, as `--images` writes it: nobody can
    tell which of them a person corrected."""
    files = [file for kind in ("*.xml", "*.json") for file in sorted(annotations.glob(kind))]
    if (annotations / MASKS).is_dir() and files:
        raise UserError(
            f"{annotations}: holds {MASKS}/ and {files[0].name}, and one of them is not corrected; name the corrected "
            "one, or a folder with it alone"
        )


def corrected_labels(
    annotations: Path, spec: DatasetSpec, names: Collection[str], guesses: Path | None
) -> Mapping[str, np.ndarray]:
    """Masks (H, W), or keypoints (K, 3) of which one at least is known, by image name, of the annotated images.

    guesses: the folder that `--images` wrote, if it is one. Raises UserError for other labels.
    """
    if spec.labels == "masks" and spec.classes:
        return read(annotations, spec.size, spec.classes, names, guesses)
    if spec.keypoints:
        return read_points(annotations, spec.size, numbered(spec.keypoints), names)
    raise UserError("data/prepare has neither masks nor keypoints as labels, and annotations of others cannot be read")


def picture(file: Path, spec: DatasetSpec) -> np.ndarray:
    """(H, W, C) pixels as `prepare` reads them. Raises UserError when they are not of the size of the labels."""
    pixels = read_image(file, spec, any_size=True)
    if pixels.shape[:2] != spec.size:
        raise UserError(
            f"{file}: {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), but its labels are "
            f"{spec.size[0]} x {spec.size[1]}; name the folder images/ that `python -m stages.label --images` wrote"
        )
    return pixels


def write_labels(folder: Path, found: Mapping[str, np.ndarray], spec: DatasetSpec) -> None:
    """masks/<name>.png with class ids, or keypoints.json, whose ids are in no other such file."""
    if spec.classes:
        for name, mask in found.items():
            write_atomically(folder / "masks" / f"{name}.png", encode_png(mask))
        return
    items = [Pointed(name, spec.size, points) for name, points in found.items()]
    coco_points.write(folder, items, numbered(spec.keypoints), ids=[id_of(name) for name in found])
    (folder / coco_points.KEYPOINTS).rename(folder / NAME)


def id_of(name: str) -> int:
    """A number below 2^48 that an image of another name does not get."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest())


def command(annotations: AnnotationsArgument, images: ImagesArgument, into: IntoOption) -> None:
    """Take in what a person corrected."""
    with exits("nothing was written"):
        take_in(annotations, images, into)


if __name__ == "__main__":
    run_command(command, __doc__)
