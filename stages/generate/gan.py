"""The recipes `gan` and `annotated`: sample the generator, label, drop the most uncertain share, write.

They differ in what the label generator learned from.
"""

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
LABELERS = Path("models/label")


def write_none(out: Path) -> pd.DataFrame:
    """A set without samples."""
    with publish(out) as folder:
        return write_set(folder, [])


def make_gan_set(out: Path, recipe: str, params: GenerateParams, shared: SharedParams) -> pd.DataFrame | None:
    """Write the set to `out` and return its index; None on the processes of torchrun that only help drawing.

    Without a label generator, because there was no labelled image to learn from, the set is empty.
    """
    from accelerate import PartialState

    labels = require(LABELERS / recipe, f"label@{recipe}")
    weights, leading = labels / "ensemble.safetensors", labels / "encoder.safetensors"
    device = pick_device(shared.device)
    processes = PartialState(cpu=device.type == "cpu")
    if not weights.exists():
        return write_none(out) if processes.is_main_process else None
    generator = load_generator(require(GENERATOR, "pretrain")).to(processes.device)
    labeler = load_label_generator(weights, generator)
    led = leading.exists() and (params.reencode or recipe != "gan")
    encoder = load_encoder(leading, generator) if led else None
    source = LatentSource(generator, encoder, params.psi, shared.seed)
    count = drawn_count(params.samples, params.drop_share)
    pieces = -(-count // params.shard_size)
    work = WorkFolder("generate", work_digest("generate", [recipe, params, shared.seed], [GENERATOR, labels]))
    progress = Progress(f"generate {recipe}", pieces, unit="shard")
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
        "recipe": recipe,
        "seed": shared.seed,
        "generator": file_digest(GENERATOR)[:16],
        "labeler": file_digest(weights)[:16],
    }
    if labeler.annotator:
        facts["annotator"] = labeler.annotator
    with publish(out) as folder:
        samples = kept_samples(work.path, pieces, keep, params.samples, kind, facts)
        index = write_set(folder, samples, params.shard_size)
    work.clear()
    return index
