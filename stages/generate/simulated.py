"""The recipes `simulated` and `refined`: what the simulator drew, as it is or made to look real."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from stages.common.params import SharedParams
from stages.common.paths import publish, require
from stages.common.samples import Sample, iterate_samples, read_index, read_set, write_set
from stages.generate.params import GenerateParams

SIMULATED = Path("data/prepare/simulated")
REFINER, SEGMENTER = Path("models/refine/refiner.safetensors"), Path("models/refine/segmenter.safetensors")


def simulated_samples(folder: Path) -> Iterator[Sample]:
    """The simulator's images with their exact labels."""
    for sample in iterate_samples(folder):
        facts = _facts("simulated", sample.facts["source_id"], "")
        yield replace(sample, facts=facts)


def write_simulated(folder: Path, shard_size: int) -> pd.DataFrame:
    """The recipe `simulated`."""
    return write_set(folder, simulated_samples(require(SIMULATED, "prepare")), shard_size)


def make_refined_set(out: Path, params: GenerateParams, shared: SharedParams) -> pd.DataFrame:
    """Write the recipe `refined` to `out` and return its index: the refined images with the labels of their inputs.

    `label_iou` and `label_shift_px` of a sample say how far a segmenter that knows simulated images alone sees its
    label move.
    """
    if not len(read_index(require(SIMULATED, "prepare"))):
        with publish(out) as folder:
            return write_set(folder, [], params.shard_size)
    import torch

    from stages.common.device import pick_device
    from stages.common.digests import file_digest
    from stages.common.tensors import ImageBank
    from stages.refine.measure import shifts
    from stages.refine.refining import refine_images
    from stages.refine.storage import load_refiner, load_segmenter

    device = pick_device(shared.device)
    refiner = load_refiner(require(REFINER, "refine")).to(device)
    segmenter = load_segmenter(require(SEGMENTER, "refine")).to(device)
    drawn = read_set(require(SIMULATED, "prepare"))
    simulated = ImageBank(drawn.images, device)
    with torch.no_grad():
        refined = refine_images(refiner, simulated, drawn.require_masks(), shared.seed, params.batch)
        iou, pixels = shifts(segmenter, refined.bent, refined.images, params.batch)
    assert refined.masks is not None
    digest, made = file_digest(REFINER)[:16], zip(refined.images.arrays, refined.masks, strict=True)
    rows = zip(iterate_samples(SIMULATED), made, iou.tolist(), pixels.tolist(), strict=True)
    samples = (
        replace(
            sample,
            key=f"refined-{number:08d}",
            image=image,
            mask=mask,
            facts=_facts("refined", sample.facts["source_id"], digest)
            | {"label_iou": overlap, "label_shift_px": shift},
        )
        for number, (sample, (image, mask), overlap, shift) in enumerate(rows)
    )
    with publish(out) as folder:
        return write_set(folder, samples, params.shard_size)


def _facts(recipe: str, source: str, generator: str) -> dict[str, str | int | float]:
    return {
        "recipe": recipe,
        "source_id": source,
        "seed": -1,
        "generator": generator,
        "labeler": "",
        "uncertainty": 0.0,
    }
