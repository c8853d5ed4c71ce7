"""How far one recipe is ahead of another, and how much of it chance over seeds explains."""

import math
from dataclasses import dataclass

from stages.evaluate.scores import RecipeScores, Spread
from stages.train.targets.base import Metric

LEVEL = 0.95


@dataclass(frozen=True)
class Gap:
    """The winner's lead over another recipe.

    value: how much better, whichever direction is better; positive for the better one. margin: half the width of the
    95 % interval of the difference of the means over seeds (Welch's t); None when a recipe has one seed. ratio: the
    winner's error as a share of the rival's; None for a score of which more is better.
    """

    rival: str
    value: float
    margin: float | None
    metric: Metric
    ratio: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the lead is more than chance over seeds would explain."""
        return self.margin is not None and self.value > self.margin

    @property
    def difference(self) -> float:
        """The winner's score less the rival's: below 0 for a lower error."""
        return self.value if self.metric.higher_is_better else -self.value


def gap(best: RecipeScores, other: RecipeScores) -> Gap:
    """The lead of `best` over `other`."""
    one, two, higher = best.best(), other.best(), best.metric.higher_is_better
    value = one.mean - two.mean if higher else two.mean - one.mean
    ratio = None if higher or not two.mean else one.mean / two.mean
    return Gap(other.recipe, value, margin_of_difference(one, two), best.metric, ratio)


def margin_of_difference(one: Spread, two: Spread) -> float | None:
    """Half the width of the 95 % interval of the difference of two means (Welch, 1947); None with one seed.

    Few seeds make it wide: with three of equal deviation s each it is 2.3 s, with two 4.3 s.
    """
    if one.std is None or two.std is None:
        return None
    from scipy.stats import t

    parts = [spread.std**2 / spread.count for spread in (one, two) if spread.std is not None]
    if not sum(parts):
        return 0.0
    freedom = sum(parts) ** 2 / sum(p**2 / (s.count - 1) for p, s in zip(parts, (one, two), strict=True))
    return float(t.ppf(0.5 + LEVEL / 2, freedom)) * math.sqrt(sum(parts))
