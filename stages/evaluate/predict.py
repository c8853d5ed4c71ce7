"""Running the target models on the test set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.common.spec import IGNORE, DatasetSpec
from stages.evaluate.scores import RecipeScores, collect
from stages.train.metrics import segmentation_scores
from stages.train.targets import load_target
from stages.train.targets.segmentation import predict_masks

MODEL_NAME = re.compile(r"seed-(\d+)\.safetensors")


@dataclass(frozen=True)
class Evaluated:
    """The scores of a recipe, its model files by seed, and what the chosen seed predicts: (N, H, W) uint8."""

    scores: RecipeScores
    models: Mapping[int, Path]
    seed: int
    predictions: np.ndarray


def find_models(folder: Path) -> dict[int, Path]:
    """The models of one recipe by seed, in the order of the seeds; empty when the recipe was not trained."""
    found = {int(match[1]): path for path in folder.glob("*.safetensors") if (match := MODEL_NAME.fullmatch(path.name))}
    return dict(sorted(found.items()))


def trained_models(folder: Path, recipes: Sequence[str]) -> dict[str, dict[int, Path]]:
    """Recipe -> its models by seed, for the recipes that were trained. Raises UserError when none was."""
    found = {recipe: models for recipe in recipes if (models := find_models(folder / recipe))}
    if not found:
        raise UserError(f"{folder}: holds no models of {', '.join(recipes)}; run `dvc repro train` first")
    return found


def evaluate_recipe(
    recipe: str,
    samples: int | None,
    models: Mapping[int, Path],
    seed: int,
    test: SampleSet,
    spec: DatasetSpec,
    device: torch.device,
    batch: int,
) -> Evaluated:
    """Score every seed of a recipe on the test set.

    Raises UserError when the test set has no masks, or a model was trained for other classes.
    """
    masks, by_seed, kept = test.require_masks(), {}, None
    for number, path in models.items():
        predictions = predict_masks(load_target(path), test.images, device, batch)
        if predictions.max(initial=0) >= len(spec.classes):
            raise UserError(f"{path}: predicts classes that data/prepare/spec.json lacks; run `dvc repro train`")
        by_seed[number] = segmentation_scores(predictions, masks, spec.classes)
        kept = predictions if number == seed or kept is None else kept
    assert kept is not None, f"{recipe} has no models"
    return Evaluated(collect(recipe, samples, by_seed), models, seed, kept)


def image_scores(predictions: np.ndarray, masks: np.ndarray, classes: int) -> np.ndarray:
    """(N,) mean IoU of each image alone, over the classes in its prediction or mask; nan when all of it is ignored."""
    scores = np.full(len(masks), np.nan)
    for i, (predicted, true) in enumerate(zip(predictions, masks, strict=True)):
        kept = true != IGNORE
        pairs = true[kept].astype(np.int64) * classes + predicted[kept]
        table = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        union = table.sum(0) + table.sum(1) - table.diagonal()
        if union.any():
            scores[i] = np.mean(table.diagonal()[union > 0] / union[union > 0])
    return scores


def pick_images(scores: np.ndarray, count: int) -> dict[str, list[int]]:
    """Numbers of the `count` best, middle and worst images; an image comes once, nan never."""
    order = [int(i) for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]
    count = min(count, max(len(order) // 3, 1))
    start = max((len(order) - count) // 2, count)
    end = max(len(order) - count, start + count)
    return {"best": order[:count], "median": order[start : start + count], "worst": order[end:]}
