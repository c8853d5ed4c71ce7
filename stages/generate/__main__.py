"""Make the labelled dataset of a recipe, as `evaluate.recipes` names them: real, gan, gan+real and so on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.cli import run_recipe_stage
from stages.common.params import SharedParams
from stages.common.paths import publish, write_atomically
from stages.common.pictures import enlarged, save_png, strips, with_labels
from stages.common.recipes import DRAWN, JOIN
from stages.common.samples import read_set
from stages.common.spec import read_spec
from stages.common.tracking import Tracker
from stages.generate.params import GenerateParams
from stages.generate.recipes import GENERATED, write_full, write_join, write_real, write_with_pool
from stages.generate.simulated import write_simulated

REPORTS = Path("reports/generate")
PICTURES, TILE = 16, 64
WRITERS = {"full": write_full, "mean_teacher": write_with_pool}  # the others are the labelled images alone


def main(params: GenerateParams, shared: SharedParams, track: Tracker, recipe: str) -> None:
    """Make the set, then its pictures and figures."""
    out, reports = GENERATED / recipe, REPORTS / recipe
    index = make_set(out, recipe, params, shared)
    if index is None:
        return
    with publish(reports / "pictures") as folder:
        if len(index):
            draw_pictures(folder, out, index)
        else:
            print(f"generate: recipe {recipe} has no source here, so its set is empty", flush=True)
    metrics = figures(index)
    write_atomically(reports / "metrics.json", json.dumps(metrics, indent=1).encode())
    track.metrics(metrics)
    if len(index):
        track.artifact(reports / "pictures" / "samples.png", "pictures")
        track.dataset(index, f"{read_spec().name}-{recipe}", out, "training")


def figures(index: pd.DataFrame) -> dict[str, float]:
    """How many samples there are, how many of them are real, and how uncertain the labels of the others."""
    if not len(index):
        return {"generate/samples": 0.0, "generate/real_samples": 0.0}
    made = index[index["recipe"] != "real"]
    found = {"generate/samples": float(len(index)), "generate/real_samples": float(len(index) - len(made))}
    return found | ({"generate/uncertainty": float(made["uncertainty"].mean())} if len(made) else {})


def draw_pictures(folder: Path, samples: Path, index: pd.DataFrame) -> None:
    """samples.png and uncertain.png of a set."""
    classes = len(read_spec().classes)
    draw_samples(folder / "samples.png", samples, index.head(2 * PICTURES), classes)
    uncertain = index.sort_values("uncertainty", ascending=False, kind="stable").head(2 * PICTURES)
    draw_samples(folder / "uncertain.png", samples, uncertain, classes)


def make_set(out: Path, recipe: str, params: GenerateParams, shared: SharedParams) -> pd.DataFrame | None:
    """The recipe's set at `out`."""
    if recipe in DRAWN:
        from stages.generate.gan import make_gan_set

        return make_gan_set(out, recipe, params, shared)
    if recipe == "refined":
        from stages.generate.simulated import make_refined_set

        return make_refined_set(out, params, shared)
    if recipe == "composite":
        from stages.generate.composite import make_composite_set

        return make_composite_set(out, params, shared)
    with publish(out) as folder:
        if recipe == "simulated":
            return write_simulated(folder, params)
        if recipe.endswith(JOIN):
            return write_join(folder, recipe, params.shard_size)
        return WRITERS.get(recipe, write_real)(folder, params.shard_size)


def draw_samples(path: Path, folder: Path, rows: pd.DataFrame, classes: int) -> None:
    """Images over the same with their labels, in the order of the rows."""
    found = read_set(folder, list(rows["key"]))
    position = {key: i for i, key in enumerate(found.index["key"])}
    order = np.array([position[key] for key in rows["key"]])
    plain = enlarged(found.images, TILE)[order]
    class_ids = found.require_class_ids() if read_spec().labels == "image" else None
    drawn = with_labels(
        found.images, found.masks, found.keypoints, found.gaze, classes, TILE, found.boxes, class_ids, found.depth
    )
    labelled = drawn[order]
    half = max(1, len(order) // 2)
    lines = [line for part in (slice(0, half), slice(half, 2 * half)) for line in (plain[part], labelled[part])]
    save_png(path, strips([line for line in lines if len(line) == half]))


if __name__ == "__main__":
    run_recipe_stage("generate", GenerateParams, main, __doc__)
