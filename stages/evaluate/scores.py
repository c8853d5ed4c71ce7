"""From the score of each seed to the comparison of recipes."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

METRIC = "target/miou"
CLASS_PREFIX = "target/iou/"


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over seeds; the deviation of one value is None, not 0."""

    mean: float
    std: float | None
    seeds: tuple[float | None, ...]

    def text(self, digits: int = 3) -> str:
        """`0.712 ± 0.010`, or the mean alone."""
        mean = f"{self.mean:.{digits}f}"
        return mean if self.std is None else f"{mean} ± {self.std:.{digits}f}"


@dataclass(frozen=True)
class RecipeScores:
    """All scores of one recipe: metric name -> one value a seed, None where a class was absent for that seed."""

    recipe: str
    samples: int | None
    seeds: tuple[int, ...]
    values: Mapping[str, Sequence[float | None]]

    def spread(self, metric: str = METRIC) -> Spread | None:
        """Mean and deviation of a metric; None when no seed has it."""
        return spread(self.values.get(metric, ()))

    def best(self) -> Spread:
        """Mean and deviation of the metric that decides."""
        found = self.spread(METRIC)
        assert found is not None, f"{self.recipe} was scored without {METRIC}"
        return found


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and sample standard deviation of the values that are there."""
    present = [value for value in values if value is not None and math.isfinite(value)]
    if not present:
        return None
    deviation = statistics.stdev(present) if len(present) > 1 else None
    return Spread(statistics.fmean(present), deviation, tuple(values))


def collect(recipe: str, samples: int | None, by_seed: Mapping[int, Mapping[str, float]]) -> RecipeScores:
    """Scores of each seed (`miou`, `iou/<class>`) under the names `target/...`."""
    names = list(dict.fromkeys(name for scores in by_seed.values() for name in scores))
    values = {f"target/{name}": [scores.get(name) for scores in by_seed.values()] for name in names}
    return RecipeScores(recipe, samples, tuple(by_seed), values)


def class_names(scores: Sequence[RecipeScores], classes: Sequence[str]) -> list[str]:
    """The classes that at least one recipe has a score for, in the order of the dataset."""
    return [name for name in classes if any(s.spread(CLASS_PREFIX + name) for s in scores)]


def winner(scores: Sequence[RecipeScores]) -> RecipeScores:
    """The recipe with the highest mean; of equals the first."""
    return max(scores, key=lambda s: s.best().mean)


def metrics(scores: Sequence[RecipeScores]) -> dict[str, Any]:
    """What metrics.json holds."""
    return {"task": "segmentation", "metric": METRIC, "recipes": {s.recipe: _recipe_metrics(s) for s in scores}}


def _recipe_metrics(scores: RecipeScores) -> dict[str, Any]:
    spreads = {name: found for name in scores.values if (found := scores.spread(name))}
    table = {name: {"mean": s.mean, "std": s.std, "seeds": list(s.seeds)} for name, s in spreads.items()}
    return {**table, "samples": scores.samples}


def flat(scores: RecipeScores) -> dict[str, float]:
    """One recipe as flat numbers for a tracker: `target/miou`, `target/miou_std`, `target/iou/<class>`, `samples`."""
    numbers = {name: found.mean for name in scores.values if (found := scores.spread(name))}
    if scores.best().std is not None:
        numbers[f"{METRIC}_std"] = float(scores.best().std or 0.0)
    return numbers | ({} if scores.samples is None else {"samples": float(scores.samples)})


def comparison(scores: Sequence[RecipeScores]) -> pd.DataFrame:
    """A row a recipe, best first: recipe, samples, seeds, mean, deviation, then the mean of each class."""
    ordered = sorted(scores, key=lambda s: -s.best().mean)
    rows = [{"recipe": s.recipe, "seeds": len(s.seeds), "samples": s.samples, **flat(s)} for s in ordered]
    frame = pd.DataFrame(rows)
    frame["samples"] = frame["samples"].astype("Int64")
    first = [c for c in ("recipe", "samples", "seeds", METRIC, f"{METRIC}_std") if c in frame]
    return frame[first + [c for c in frame if c not in first]]


def choose_seed(seeds: Sequence[int], validation: Mapping[int, float]) -> int:
    """The seed with the best score on the validation images, else the first.

    The test score does not choose: the best of several seeds on the test set would be a peek at it.
    """
    known = [seed for seed in seeds if seed in validation]
    return max(known, key=lambda seed: validation[seed]) if known else seeds[0]
