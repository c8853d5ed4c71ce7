"""The recipe `gan`: sample the generator, label, drop the most uncertain share, write."""

from pathlib import Path

import pandas as pd

from stages.common.checkpoint import WorkFolder
from stages.common.device import pick_device
from stages.common.digests import file_digest, work_digest
from stages.common.params import SharedParams
from stages.common.paths import publish, require
from stages.common.progress import Progress
from stages.common.samples import write_set
from stages.generate.params import GenerateParams
from stages.generate.sampling import drawn_count, most_certain
from stages.generate.shards import draw_pieces, kept_samples, piece_path, read_scores
from stages.invert.encoder import load_encoder
from stages.invert.latents import LatentSource
from stages.label.labelling import load_label_generator
from stages.pretrain.build import load_generator

GENERATOR = Path("models/pretrain/generator.safetensors")
ENSEMBLE, ENCODER = Path("models/label/gan/ensemble.safetensors"), Path("models/label/gan/encoder.safetensors")


def make_gan_set(out: Path, params: GenerateParams, shared: SharedParams) -> pd.DataFrame | None:
    """Write the set to `out` and return its index; None on the processes of torchrun that only help drawing."""
    from accelerate import PartialState

    device = pick_device(shared.device)
    processes = PartialState(cpu=device.type == "cpu")
    generator = load_generator(require(GENERATOR, "pretrain")).to(processes.device)
    labeler = load_label_generator(require(ENSEMBLE, "label@gan"), generator)
    encoder = load_encoder(require(ENCODER, "label@gan"), generator) if params.reencode else None
    source = LatentSource(generator, encoder, params.psi, shared.seed)
    count = drawn_count(params.samples, params.drop_share)
    pieces = -(-count // params.shard_size)
    work = WorkFolder("generate", work_digest("generate", [params, shared.seed], [GENERATOR, ENSEMBLE, ENCODER]))
    progress = Progress("generate gan", pieces, unit="shard")
    mine = range(processes.process_index, pieces, processes.num_processes)
    there = sum(piece_path(work.path, piece).is_file() for piece in range(pieces))
    print(f"generate: {count} samples on {processes.device}, {there} of {pieces} shards are there already", flush=True)
    draw_pieces(labeler, source, params, count, work.path, mine, lambda piece: progress.update(piece + 1))
    processes.wait_for_everyone()
    if not processes.is_main_process:
        return None
    kind = labeler.head.kind
    scores, classes = read_scores(work.path, pieces, kind)
    keep = most_certain(scores, params.drop_share, classes if params.drop_within_classes else None)
    facts: dict[str, str | int] = {
        "recipe": "gan",
        "seed": shared.seed,
        "generator": file_digest(GENERATOR)[:16],
        "labeler": file_digest(ENSEMBLE)[:16],
    }
    with publish(out) as folder:
        samples = kept_samples(work.path, pieces, keep, params.samples, kind, facts)
        index = write_set(folder, samples, params.shard_size)
    work.clear()
    return index
