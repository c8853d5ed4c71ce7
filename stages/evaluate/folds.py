"""The protocol of DatasetGAN (Zhang et al., CVPR 2021) and HandsOff (Xu et al., CVPR 2023): the test set in folds, the
best checkpoint chosen on one fold and scored on the others."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.common.errors import UserError
from stages.common.progress import tracked
from stages.common.recipes import CHECKPOINTS
from stages.evaluate.predict import Trial, check_fits
from stages.evaluate.scores import RecipeScores
from stages.train.targets import load_target, predict
from stages.train.targets.base import Metric, Target

CHECKPOINT_NAME = re.compile(r"seed-(\d+)-step-(\d+)\.safetensors")
Scores = Mapping[str, float]


def folds_of(groups: Sequence[str], count: int) -> np.ndarray:
    """(N,) numbers of the folds, 0 to count - 1: whole groups, shuffled, each into the fold with the fewest images.

    Raises UserError when there are fewer groups than folds.
    """
    names, members = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) < count:
        raise UserError(
            f"params.yaml: evaluate.folds: {count} folds, but the test images are of {len(names)} groups; lower it"
        )
    sizes, fold_of = np.zeros(count, int), np.zeros(len(names), int)
    for group in np.random.default_rng(0).permutation(len(names)):
        fold_of[group] = sizes.argmin()
        sizes[fold_of[group]] += (members == group).sum()
    return fold_of[members]


def find_checkpoints(models: Path, recipe: str) -> dict[int, list[Path]]:
    """Seed -> its checkpoints in the order of their steps. Raises UserError when there are none."""
    folder = models / recipe / CHECKPOINTS
    named = [(match, path) for path in folder.glob("*.safetensors") if (match := CHECKPOINT_NAME.fullmatch(path.name))]
    if not named:
        raise UserError(
            f"params.yaml: evaluate.folds: {folder} holds no checkpoints; set train.checkpoints, to 10 for example, "
            "and run `dvc repro`"
        )
    found: dict[int, list[Path]] = {}
    for match, path in sorted(named, key=lambda pair: (int(pair[0][1]), int(pair[0][2]))):
        found.setdefault(int(match[1]), []).append(path)
    return found


def score_folds(models: Path, scores: Sequence[RecipeScores], trial: Trial, count: int) -> list[RecipeScores]:
    """The scores of these recipes by the protocol, a value a seed and fold, seed by seed."""
    folds = folds_of(trial.test.index["group"].astype(str).tolist(), count)
    checkpoints = {each.recipe: find_checkpoints(models, each.recipe) for each in scores}
    found = []
    for each in tracked(scores, "folds", len(scores), "recipe"):
        rows = [row for paths in checkpoints[each.recipe].values() for row in _of_seed(paths, folds, count, trial)]
        names = dict.fromkeys(name for row in rows for name in row)
        values = {f"target/{name}": [row.get(name) for row in rows] for name in names}
        found.append(RecipeScores(each.recipe, each.samples, trial.metric, tuple(range(len(rows))), values))
    return found


def _of_seed(paths: Sequence[Path], folds: np.ndarray, count: int, trial: Trial) -> list[Scores]:
    on_fold: list[list[Scores]] = []
    elsewhere: list[list[Scores]] = []
    for path in paths:
        target, module = load_target(path)
        check_fits(path, target, trial)
        predictions = predict(target, module, trial.test.images, trial.device, trial.batch)
        labels = target.labels(trial.test)
        on_fold.append([_scores(target, predictions, labels, folds == number) for number in range(count)])
        elsewhere.append([_scores(target, predictions, labels, folds != number) for number in range(count)])
    return chosen(on_fold, elsewhere, trial.metric)


def _scores(target: Target, predictions: Tensor, labels: Tensor, rows: np.ndarray) -> Scores:
    kept = torch.from_numpy(rows)
    try:
        return target.scores(predictions[kept], labels[kept])
    except UserError as error:
        raise UserError(f"params.yaml: evaluate.folds: of a fold of the test images, {error}; lower it") from error


def chosen(on_fold: Sequence[Sequence[Scores]], elsewhere: Sequence[Sequence[Scores]], metric: Metric) -> list[Scores]:
    """For each fold the scores on the other folds of the checkpoint that is best on it; of equals the first.

    on_fold, elsewhere: scores by checkpoint, then by fold.
    """
    best = max if metric.higher_is_better else min
    numbers = range(len(on_fold))
    return [
        elsewhere[best(numbers, key=lambda number: on_fold[number][fold][metric.name])][fold]
        for fold in range(len(on_fold[0]))
    ]


def fold_metrics(scores: Sequence[RecipeScores], count: int) -> dict[str, Any]:
    """What metrics.json holds of it: mean and deviation over folds and seeds, and the value of each, seed by seed."""
    recipes = {}
    for each in scores:
        spreads = {name: spread for name in each.values if (spread := each.spread(name))}
        recipes[each.recipe] = {
            name: {
                "mean": spread.mean,
                "std": spread.std,
                "seeds": [list(spread.seeds[start : start + count]) for start in range(0, len(spread.seeds), count)],
            }
            for name, spread in spreads.items()
        }
    return {"count": count, "recipes": recipes}
