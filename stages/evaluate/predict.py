"""Running the target models on the test set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.samples import SampleSet
from stages.common.spec import SPEC_PATH, DatasetSpec
from stages.evaluate.scores import RecipeScores, collect
from stages.train.targets import load_target, predict
from stages.train.targets.base import Metric, Target

MODEL_NAME = re.compile(r"seed-(\d+)\.safetensors")


@dataclass(frozen=True)
class Trial:
    """What every model goes through: the test set, the dataset and the metric it must be made for, and the means."""

    test: SampleSet
    spec: DatasetSpec
    metric: Metric
    device: torch.device
    batch: int


@dataclass(frozen=True)
class Evaluated:
    """The scores of a recipe, its model files by seed, and what the chosen seed predicts, in the form of `target`."""

    scores: RecipeScores
    models: Mapping[int, Path]
    seed: int
    predictions: Tensor
    target: Target


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


def metric_of(models: Mapping[int, Path]) -> Metric:
    """The metric that the first of these models is scored by."""
    return load_target(next(iter(models.values())))[0].metric


def evaluate_recipe(recipe: str, samples: int | None, models: Mapping[int, Path], seed: int, trial: Trial) -> Evaluated:
    """Score every seed of a recipe on the test set.

    Raises UserError when the test set lacks the labels, or a model was trained for another dataset or metric.
    """
    by_seed, kept = {}, None
    for number, path in models.items():
        target, module = load_target(path)
        check_fits(path, target, trial)
        predictions = predict(target, module, trial.test.images, trial.device, trial.batch)
        by_seed[number] = target.scores(predictions, target.labels(trial.test))
        kept = (predictions, target) if number == seed or kept is None else kept
    assert kept is not None, f"{recipe} has no models"
    return Evaluated(collect(recipe, samples, trial.metric, by_seed), models, seed, *kept)


def check_fits(path: Path, target: Target, trial: Trial) -> None:
    """Raises UserError when a model was trained for another dataset or metric than the trial's."""
    if target.spec != trial.spec:
        raise UserError(f"{path}: was trained for another dataset than {SPEC_PATH} describes; run `dvc repro train`")
    if target.metric != trial.metric:
        raise UserError(
            f"{path}: is scored by {target.metric.title}, other models by {trial.metric.title}, which cannot be "
            "compared; run `dvc repro train` so that every recipe trains the same target"
        )


def pick_images(scores: np.ndarray, count: int, higher_is_better: bool = True) -> dict[str, list[int]]:
    """Numbers of the `count` best, middle and worst images; an image comes once, nan never."""
    ranks = np.argsort(-scores if higher_is_better else scores, kind="stable")
    order = [int(i) for i in ranks if np.isfinite(scores[i])]
    count = min(count, max(len(order) // 3, 1))
    start = max((len(order) - count) // 2, count)
    end = max(len(order) - count, start + count)
    return {"best": order[:count], "median": order[start : start + count], "worst": order[end:]}
