"""From the score of each seed to the comparison of recipes."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stages.train.targets.base import Metric


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over seeds; the deviation of one value is None, not 0."""

    mean: float
    std: float | None
    seeds: tuple[float | None, ...]

    @property
    def count(self) -> int:
        """Seeds that have a value."""
        return sum(value is not None for value in self.seeds)

    def text(self, digits: int = 3, unit: str = "") -> str:
        """`0.712 ± 0.010`, `7.81 ± 0.12°`, or the mean alone."""
        mean = f"{self.mean:.{digits}f}"
        return f"{mean}{unit}" if self.std is None else f"{mean} ± {self.std:.{digits}f}{unit}"


@dataclass(frozen=True)
class RecipeScores:
    """All scores of one recipe: metric name -> one value a seed, None where a class was absent for that seed."""

    recipe: str
    samples: int | None
    metric: Metric
    seeds: tuple[int, ...]
    values: Mapping[str, Sequence[float | None]]

    @property
    def key(self) -> str:
        """The name of the metric that decides, as in metrics.json."""
        return metric_key(self.metric)

    def spread(self, metric: str | None = None) -> Spread | None:
        """Mean and deviation of a metric, by default the one that decides; None when no seed has it."""
        return spread(self.values.get(metric or self.key, ()))

    def part(self, name: str) -> Spread | None:
        """Mean and deviation of one class or keypoint; None when no seed has it."""
        return self.spread(part_key(self.metric, name))

    def best(self) -> Spread:
        """Mean and deviation of the metric that decides."""
        found = self.spread()
        assert found is not None, f"{self.recipe} was scored without {self.key}"
        return found

    def text(self) -> str:
        """Mean and deviation of the metric that decides, with its digits and unit."""
        return self.best().text(self.metric.digits, self.metric.unit)


def metric_key(metric: Metric) -> str:
    """The name of a metric in metrics.json: `target/miou`."""
    return f"target/{metric.name}"


def part_key(metric: Metric, name: str) -> str:
    """The name of a part of a metric in metrics.json: `target/iou/<class>`."""
    return f"target/{metric.part}{name}"


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and sample standard deviation of the values that are there."""
    present = [value for value in values if value is not None and math.isfinite(value)]
    if not present:
        return None
    deviation = statistics.stdev(present) if len(present) > 1 else None
    return Spread(statistics.fmean(present), deviation, tuple(values))


def collect(
    recipe: str, samples: int | None, metric: Metric, by_seed: Mapping[int, Mapping[str, float]]
) -> RecipeScores:
    """Scores of each seed (`miou`, `iou/<class>`) under the names `target/...`."""
    names = list(dict.fromkeys(name for scores in by_seed.values() for name in scores))
    values = {f"target/{name}": [scores.get(name) for scores in by_seed.values()] for name in names}
    return RecipeScores(recipe, samples, metric, tuple(by_seed), values)


def part_names(scores: Sequence[RecipeScores], classes: Sequence[str]) -> list[str]:
    """The classes or keypoints that at least one recipe has a score for; classes in the order of the dataset."""
    prefix = part_key(scores[0].metric, "")
    if not scores[0].metric.part:
        return []
    keys = dict.fromkeys(key for s in scores for key in s.values if key.startswith(prefix) and s.spread(key))
    places = {name: place for place, name in enumerate(classes)}
    return sorted((key.removeprefix(prefix) for key in keys), key=lambda name: places.get(name, len(places)))


def more_names(scores: Sequence[RecipeScores]) -> list[str]:
    """The scores beside the one that decides and its parts, under their names in metrics.json."""
    metric = scores[0].metric
    names = dict.fromkeys(key for s in scores for key in s.values if key != s.key and s.spread(key))
    return [name for name in names if not metric.part or not name.startswith(part_key(metric, ""))]


def ranked(scores: Sequence[RecipeScores]) -> list[RecipeScores]:
    """The recipes by their mean, best first; equals stay in their order."""
    sign = -1 if scores and scores[0].metric.higher_is_better else 1
    return sorted(scores, key=lambda s: sign * s.best().mean)


def winner(scores: Sequence[RecipeScores]) -> RecipeScores:
    """The recipe with the best mean; of equals the first."""
    return ranked(scores)[0]


def metrics(scores: Sequence[RecipeScores], task: str) -> dict[str, Any]:
    """What metrics.json holds: the metric that decides, how to speak of it, and every score of every recipe."""
    metric = scores[0].metric
    words = {
        "title": metric.title,
        "unit": metric.unit,
        "range": metric.range,
        "better": "higher" if metric.higher_is_better else "lower",
    }
    return {"task": task, "metric": scores[0].key, **words, "recipes": {s.recipe: _recipe_metrics(s) for s in scores}}


def _recipe_metrics(scores: RecipeScores) -> dict[str, Any]:
    spreads = {name: found for name in scores.values if (found := scores.spread(name))}
    table = {name: {"mean": s.mean, "std": s.std, "seeds": list(s.seeds)} for name, s in spreads.items()}
    return {**table, "samples": scores.samples}


def flat(scores: RecipeScores) -> dict[str, float]:
    """One recipe as flat numbers for a tracker: `target/miou`, `target/miou_std`, `target/iou/<class>`, `samples`."""
    numbers = {name: found.mean for name in scores.values if (found := scores.spread(name))}
    if scores.best().std is not None:
        numbers[f"{scores.key}_std"] = float(scores.best().std or 0.0)
    return numbers | ({} if scores.samples is None else {"samples": float(scores.samples)})


def comparison(scores: Sequence[RecipeScores]) -> pd.DataFrame:
    """A row a recipe, best first: recipe, samples, seeds, mean, deviation, then the means of all other scores.

    `score` and `score_std` repeat mean and deviation under names that do not depend on the task, for plots.
    """
    frame = pd.DataFrame([_row(s) for s in ranked(scores)])
    frame["samples"] = frame["samples"].astype("Int64")
    key = scores[0].key
    first = [c for c in ("recipe", "samples", "seeds", "score", "score_std", key, f"{key}_std") if c in frame]
    return frame[first + [c for c in frame if c not in first]]


def _row(scores: RecipeScores) -> dict[str, Any]:
    best = scores.best()
    known = {"recipe": scores.recipe, "seeds": len(scores.seeds), "samples": scores.samples}
    return {**known, "score": best.mean, "score_std": best.std, **flat(scores)}


def choose_seed(seeds: Sequence[int], validation: Mapping[int, float], metric: Metric) -> int:
    """The seed with the best score on the validation images, else the first.

    The test score does not choose: the best of several seeds on the test set would be a peek at it.
    """
    known = [seed for seed in seeds if seed in validation]
    if not known:
        return seeds[0]
    return (max if metric.higher_is_better else min)(known, key=lambda seed: validation[seed])
