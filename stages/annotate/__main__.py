"""Select images of the GAN for annotation, export them, and take in what a person, or an oracle, says of them."""

import json
from pathlib import Path

import numpy as np
import torch

from stages.annotate.answers import ORACLE, Annotations, read_answers
from stages.annotate.candidates import Candidates, draw_candidates, feature_network, guess
from stages.annotate.export import kind_of, write_export
from stages.annotate.latents import Origin, latents_beside, read_latents
from stages.annotate.oracle import digits_in, oracle_labels, train_oracle
from stages.annotate.outputs import draw_selected, figures, guess_quality, write_annotated
from stages.annotate.params import AnnotateParams
from stages.annotate.selection import select_rows
from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.digests import file_digest
from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.paths import publish, require, write_atomically
from stages.common.samples import read_index, read_set
from stages.common.spec import DatasetSpec, read_spec
from stages.common.tracking import Tracker
from stages.invert.encoder import load_encoder
from stages.invert.latents import CANDIDATES, LatentSource
from stages.label.labelling import LabelGenerator, load_label_generator
from stages.pretrain.build import load_generator
from stages.pretrain.generator import Generator

GAN, ENCODER = Path("models/pretrain"), Path("models/invert/encoder.safetensors")
ENSEMBLE, DIGITS = Path("models/label/gan/ensemble.safetensors"), Path("data/prepare/oracle")
EXPORT, ANNOTATED, REPORTS = Path("data/annotate/export"), Path("data/annotate/annotated"), Path("reports/annotate")
PICTURE = "selected.png"
NEXT = (
    f"annotate: nothing is annotated yet; copy {EXPORT} to a folder of yours, annotate its images, put what the tool "
    "exports beside its latents.safetensors, and name that file in annotate.answers"
)


def main(params: AnnotateParams, shared: SharedParams, track: Tracker) -> None:
    """Draw, select, export, annotate, write."""
    spec, device = read_spec(), pick_device(shared.device)
    kind, by_oracle = kind_of(spec), params.answers is None and bool(len(read_index(require(DIGITS, "prepare"))))
    refuse_in_vain(kind, params, by_oracle)
    generator = load_generator(require(GAN / "generator.safetensors", "pretrain")).to(device)
    labeler = load_label_generator(ENSEMBLE, generator) if ENSEMBLE.exists() else None
    candidates = drawn(params, shared.seed, spec, generator, labeler)
    chosen = selected(candidates, params, shared.seed)
    origin = Origin(file_digest(GAN / "generator.safetensors"), file_digest(ENCODER) if params.reencode else "")
    metrics: dict[str, float] = {}
    with publish(EXPORT) as export, publish(ANNOTATED) as out, publish(REPORTS / "pictures") as pictures:
        guessed = guess(labeler, chosen.ws, params.batch)
        write_export(export, chosen.names, chosen.images, chosen.ws, origin, spec, guessed)
        annotations = None
        if params.answers is not None:
            latents = read_latents(latents_beside(params.answers, export))
            annotations = read_answers(params.answers, latents, origin, spec, generator, params.batch)
        elif by_oracle:
            annotations, metrics = asked_oracle(chosen, kind, params, shared.seed, device)
        write_annotated(out, annotations, kind, origin)
        metrics |= figures(len(candidates), len(chosen), annotations)
        if annotations is None:
            print(NEXT, flush=True)
            draw_selected(pictures / PICTURE, chosen.images, kind, None, guessed, len(spec.classes))
        else:
            metrics |= compared(annotations, guess(labeler, annotations.ws, params.batch), kind, spec, pictures)
    write_atomically(REPORTS / "metrics.json", json.dumps(metrics, indent=1).encode())
    track.metrics(metrics)
    track.artifact(REPORTS / "pictures" / PICTURE, "pictures")


def compared(
    annotations: Annotations, guessed: np.ndarray | None, kind: str, spec: DatasetSpec, folder: Path
) -> dict[str, float]:
    """A picture of the annotations beside what the label generator of `gan` guesses, and how near the guesses are; none
    without a label generator."""
    classes = len(spec.classes)
    draw_selected(folder / PICTURE, annotations.images, kind, annotations.labels, guessed, classes)
    return {} if guessed is None else guess_quality(kind, guessed, annotations.labels, classes)


def refuse_in_vain(kind: str, params: AnnotateParams, by_oracle: bool) -> None:
    """Raises UserError when nobody could annotate this data, the answers are not there, or nothing could tell what is
    uncertain: before anything is drawn."""
    if params.answers is not None and not params.answers.exists():
        raise UserError(f"annotate.answers: {params.answers}: no such file; name what the annotation tool exported")
    if kind == "depth" and not by_oracle:
        raise UserError(
            "annotate: depth cannot be annotated by hand, only digits have an oracle for it (annotate.answers: null); "
            "take recipes without annotated"
        )
    if params.select == "disagreement" and not ENSEMBLE.exists():
        raise UserError(
            f"annotate.select: disagreement, but {ENSEMBLE} is not there: a label generator of the recipe gan learns "
            "from labelled real images; run `dvc repro label@gan`, or take coverage or random"
        )


def drawn(
    params: AnnotateParams, seed: int, spec: DatasetSpec, generator: Generator, labeler: LabelGenerator | None
) -> Candidates:
    """The images to select from."""
    encoder = load_encoder(require(ENCODER, "invert"), generator) if params.reencode else None
    source = LatentSource(generator, encoder, params.psi, seed, CANDIDATES)
    features = feature_network(GAN / "discriminator.safetensors", generator, spec.channels)
    scoring = labeler if params.select == "disagreement" else None
    return draw_candidates(source, features, scoring, params.candidates, params.batch)


def selected(candidates: Candidates, params: AnnotateParams, seed: int) -> Candidates:
    """The images to annotate; fewer than asked for where the GAN draws too few that differ."""
    count = min(params.images, len(candidates))
    print(f"annotate: {count} of {len(candidates)} different images by {params.select}", flush=True)
    features, scores = candidates.features, candidates.scores
    return candidates.part(select_rows(params.select, count, features, scores, params.uncertain_share, seed))


def asked_oracle(
    chosen: Candidates, kind: str, params: AnnotateParams, seed: int, device: torch.device
) -> tuple[Annotations, dict[str, float]]:
    """What the oracle says of all selected images, and how often it is right about real digits it never saw."""
    digits, metrics = None, {}
    if kind == "mask":
        classifier, accuracy = train_oracle(read_set(DIGITS), params.oracle, seed, device)
        digits, metrics = digits_in(classifier, chosen.images), {"annotate/oracle_accuracy": accuracy}
        print(f"annotate: the oracle finds {accuracy:.1%} of the digits that were held back from it", flush=True)
    print(f"annotate: {len(chosen)} images annotated by an oracle, not by a person", flush=True)
    labels = oracle_labels(kind, chosen.images, digits)
    return Annotations(chosen.names, chosen.ws, chosen.images, labels, ORACLE), metrics


if __name__ == "__main__":
    run_stage("annotate", AnnotateParams, main, __doc__)
