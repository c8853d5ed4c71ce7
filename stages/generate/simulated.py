"""The recipes `simulated` and `refined`: what the simulator drew, as it is or made to look real."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stages.common.params import SharedParams
from stages.common.paths import publish, require
from stages.common.samples import Sample, iterate_samples, read_index, read_set, write_set
from stages.generate.params import GenerateParams

if TYPE_CHECKING:
    import torch

    from stages.refine.refining import Refined

SIMULATED = Path("data/prepare/simulated")
REFINER, SEGMENTER = Path("models/refine/refiner.safetensors"), Path("models/refine/segmenter.safetensors")


def simulated_samples(folder: Path, limit: int) -> Iterator[Sample]:
    """The first `limit` of the simulator's images with their exact labels."""
    for sample in first_samples(folder, limit):
        facts = _facts("simulated", sample.facts["source_id"], "")
        yield replace(sample, facts=facts)


def first_samples(folder: Path, limit: int) -> Iterator[Sample]:
    """The first `limit` samples of a set, in the order of its index; says so when there are more."""
    keys = read_index(folder)["key"]
    if len(keys) > limit:
        print(f"generate: the first {limit} of {len(keys)} simulated images, as generate.samples says", flush=True)
    return iterate_samples(folder, set(keys.head(limit)))


def write_simulated(folder: Path, params: GenerateParams) -> pd.DataFrame:
    """The recipe `simulated`."""
    return write_set(folder, simulated_samples(require(SIMULATED, "prepare"), params.samples), params.shard_size)


def make_refined_set(out: Path, params: GenerateParams, shared: SharedParams) -> pd.DataFrame:
    """Write the recipe `refined` to `out` and return its index: the refined images with the labels of their inputs.

    `label_iou` and `label_shift_px` of a sample say how far a segmenter that knows simulated images alone sees its
    label move.
    """
    if not len(read_index(require(SIMULATED, "prepare"))):
        with publish(out) as folder:
            return write_set(folder, [], params.shard_size)
    from stages.common.device import pick_device
    from stages.common.digests import file_digest
    from stages.common.tensors import ImageBank
    from stages.refine.refining import refine_images
    from stages.refine.storage import load_refiner

    device = pick_device(shared.device)
    refiner = load_refiner(require(REFINER, "refine")).to(device)
    drawn = read_set(SIMULATED, limit=params.samples)
    refined = refine_images(
        refiner, ImageBank(drawn.images, device), drawn.masks, shared.seed, params.batch, drawn.keypoints, drawn.depth
    )
    digest, moved = file_digest(REFINER)[:16], shift_facts(refined, device, params.batch)
    samples = (
        replace(
            sample,
            key=f"refined-{number:08d}",
            image=refined.images.arrays[number],
            mask=None if refined.masks is None else refined.masks[number],
            keypoints=None if refined.keypoints is None else refined.keypoints[number],
            depth=None if refined.depth is None else refined.depth[number],
            facts=_facts("refined", sample.facts["source_id"], digest) | moved[number],
        )
        for number, sample in enumerate(first_samples(SIMULATED, params.samples))
    )
    with publish(out) as folder:
        return write_set(folder, samples, params.shard_size)


def shift_facts(refined: "Refined", device: "torch.device", batch: int) -> list[dict[str, float]]:
    """`label_iou` and `label_shift_px` of each sample; nothing where the simulated images have no masks."""
    from stages.refine.measure import shifts
    from stages.refine.storage import load_segmenter

    if refined.masks is None:
        return [{}] * len(refined.images)
    segmenter = load_segmenter(require(SEGMENTER, "refine")).to(device)
    iou, pixels = shifts(segmenter, refined.bent, refined.images, batch)
    pairs = zip(iou.tolist(), pixels.tolist(), strict=True)
    return [{"label_iou": overlap, "label_shift_px": shift} for overlap, shift in pairs]


def _facts(recipe: str, source: str, generator: str) -> dict[str, str | int | float]:
    return {
        "recipe": recipe,
        "source_id": source,
        "seed": -1,
        "generator": generator,
        "labeler": "",
        "uncertainty": 0.0,
    }
