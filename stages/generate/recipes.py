"""One function a recipe: what its dataset is made of. A join `X+real` is the samples of both."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd

from stages.common.paths import require
from stages.common.recipes import JOIN, POOL
from stages.common.samples import Sample, iterate_samples, read_index, write_index, write_set

LABELED, GENERATED = Path("data/prepare/labeled"), Path("data/generate")
FULL, UNLABELED = Path("data/prepare/full"), Path("data/prepare/unlabeled")


def real_samples(labeled: Path) -> Iterator[Sample]:
    """The labelled real images as samples of the recipe `real`."""
    sources = read_index(labeled).set_index("key")["source_id"]
    for sample in iterate_samples(labeled):
        facts = {
            "recipe": "real",
            "source_id": str(sources[sample.key]),
            "seed": -1,
            "generator": "",
            "labeler": "",
            "uncertainty": 0.0,
        }
        yield replace(sample, facts=facts)


def write_real(folder: Path, shard_size: int) -> pd.DataFrame:
    """The recipe `real`."""
    return write_set(folder, real_samples(require(LABELED, "prepare")), shard_size)


def write_full(folder: Path, shard_size: int) -> pd.DataFrame:
    """The recipe `full`: the labelled images and the further ones; an empty set where there are none of the latter."""
    labeled, further = require(LABELED, "prepare"), require(FULL, "prepare")
    samples = chain(real_samples(labeled), real_samples(further)) if len(read_index(further)) else ()
    return write_set(folder, samples, shard_size)


def write_with_pool(folder: Path, shard_size: int) -> pd.DataFrame:
    """The recipe `mean_teacher`: the labelled images, and beside them the unlabelled ones as a set of their own."""
    index = write_real(folder, shard_size)
    (folder / POOL).mkdir()
    for file in require(UNLABELED, "prepare").iterdir():
        shutil.copyfile(file, folder / POOL / file.name)
    return index


def write_join(folder: Path, recipe: str, shard_size: int) -> pd.DataFrame:
    """The recipe `X+real`: the shards of X as they are, then the real ones; nothing where X has nothing."""
    made = GENERATED / recipe.removesuffix(JOIN)
    index = read_index(require(made, f"generate@{recipe.removesuffix(JOIN)}"))
    if not len(index):  # else the labelled images alone would be compared under another name
        return write_set(folder, [])
    folder.mkdir(parents=True, exist_ok=True)
    for shard in index["shard"].unique():
        shutil.copyfile(made / shard, folder / shard)
    real_folder = folder / ".real"
    real = write_real(real_folder, shard_size)
    for shard in real["shard"].unique():
        (real_folder / shard).rename(folder / f"real-{shard}")
    shutil.rmtree(real_folder)
    real["shard"] = "real-" + real["shard"]
    rows = pd.concat([index, real], ignore_index=True).to_dict("records")
    return write_index(folder, [{str(name): value for name, value in row.items()} for row in rows])
