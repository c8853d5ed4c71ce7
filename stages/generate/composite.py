"""The recipe `composite`: cut-out objects where a placer puts them, with the labels that follow from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stages.common.params import SharedParams
from stages.common.paths import publish, require
from stages.common.progress import Progress
from stages.common.samples import Sample, SampleSet, read_index, write_set
from stages.common.spec import DatasetSpec, read_spec
from stages.generate.params import GenerateParams

if TYPE_CHECKING:
    from stages.compose.composer import Composer
    from stages.compose.placers import Place

FOREGROUNDS, BACKGROUNDS = Path("data/prepare/foregrounds"), Path("data/prepare/backgrounds")
PLACER = Path("models/compose")
STREAM = 81


def make_composite_set(out: Path, params: GenerateParams, shared: SharedParams) -> pd.DataFrame:
    """Write the recipe `composite` to `out` and return its index; an empty set where there is nothing to place."""
    if not all(len(read_index(require(folder, "prepare"))) for folder in (FOREGROUNDS, BACKGROUNDS)):
        with publish(out) as folder:
            return write_set(folder, [], params.shard_size)
    from stages.common.device import pick_device
    from stages.common.digests import tree_digest
    from stages.compose.bank import read_composer
    from stages.compose.storage import load_placer

    device = pick_device(shared.device)
    place, how = load_placer(PLACER, device)
    composer = read_composer(FOREGROUNDS, BACKGROUNDS, how, device)
    spec = read_spec()
    if spec.keypoints and composer.objects.keypoints is None:
        print(f"generate: the cut-outs in {FOREGROUNDS} have no keypoints, so composites have none", flush=True)
    samples = composites(composer, place, params, shared.seed, spec, tree_digest([PLACER])[:16])
    with publish(out) as folder:
        return write_set(folder, samples, params.shard_size)


def composites(
    composer: "Composer", place: "Place", params: GenerateParams, seed: int, spec: DatasetSpec, digest: str
) -> Iterator[Sample]:
    """The samples; each batch is a function of the seed and its number."""
    import torch

    from stages.common.device import seeded
    from stages.compose.composer import as_samples

    progress = Progress("generate composites", params.samples, unit="image")
    facts = {"recipe": "composite", "seed": seed, "generator": digest, "labeler": "", "uncertainty": 0.0}
    for first in range(0, params.samples, params.batch):
        count = min(params.batch, params.samples - first)
        with torch.no_grad():
            made = as_samples(composer.compose(place, count, seeded(seed, STREAM, first), offline=True))
        for row in range(count):
            own = {"source_id": f"composite-{first + row:08d}"}
            yield labelled_composite(made, row, spec, first + row, facts | own)
        progress.update(first + count)


def labelled_composite(made: SampleSet, row: int, spec: DatasetSpec, number: int, facts: dict[str, object]) -> Sample:
    """One composite with the labels that the dataset has: masks, boxes, or a class; and keypoints and depth, where
    cut-outs have them."""
    return Sample(
        f"composite-{number:08d}",
        made.images[row],
        mask=made.require_masks()[row] if spec.labels == "masks" and spec.classes else None,
        boxes=made.require_boxes()[row] if spec.labels == "boxes" else None,
        class_id=int(made.require_class_ids()[row]) if spec.labels == "image" else None,
        keypoints=made.keypoints[row] if spec.keypoints and made.keypoints is not None else None,
        depth=made.depth[row] if spec.depth and made.depth is not None else None,
        facts=facts,
    )
