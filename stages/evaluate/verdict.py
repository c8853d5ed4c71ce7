"""Which recipe is best, by how much, and whether that is more than chance: in sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.evaluate.scores import RecipeScores, Spread, winner

LEVEL = 0.95
FEW_TEST_IMAGES = 50


@dataclass(frozen=True)
class Gap:
    """The winner's lead over another recipe.

    margin: half the width of the 95 % interval of the difference of the means over seeds (Welch's t); None when a
    recipe has one seed.
    """

    rival: str
    value: float
    margin: float | None

    @property
    def clear(self) -> bool:
        """Whether the lead is more than chance over seeds would explain."""
        return self.margin is not None and self.value > self.margin


@dataclass(frozen=True)
class Verdict:
    """The winner and its leads: over the baseline (None when it is the baseline), and over the next best."""

    winner: str
    score: Spread
    to_baseline: Gap | None
    to_next: Gap | None
    headline: str
    details: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether the winner's lead over the next best is more than chance over seeds would explain."""
        return self.to_next is not None and self.to_next.clear


def gap(best: RecipeScores, other: RecipeScores) -> Gap:
    """The lead of `best` over `other`."""
    one, two = best.best(), other.best()
    return Gap(other.recipe, one.mean - two.mean, margin_of_difference(one, two))


def margin_of_difference(one: Spread, two: Spread) -> float | None:
    """Half the width of the 95 % interval of the difference of two means (Welch, 1947); None with one seed.

    Few seeds make it wide: with three of equal deviation s each it is 2.3 s, with two 4.3 s.
    """
    if one.std is None or two.std is None:
        return None
    from scipy.stats import t

    parts = [spread.std**2 / len(spread.seeds) for spread in (one, two) if spread.std is not None]
    if not sum(parts):
        return 0.0
    freedom = sum(parts) ** 2 / sum(p**2 / (len(s.seeds) - 1) for p, s in zip(parts, (one, two), strict=True))
    return float(t.ppf(0.5 + LEVEL / 2, freedom)) * math.sqrt(sum(parts))


def judge(scores: Sequence[RecipeScores], baseline: str, test_images: int) -> Verdict:
    """The verdict over one or more recipes, scored on so many images."""
    best = winner(scores)
    others = sorted((s for s in scores if s is not best), key=lambda s: -s.best().mean)
    to_next = gap(best, others[0]) if others else None
    base = next((s for s in others if s.recipe == baseline), None)
    to_baseline = gap(best, base) if base else None
    return Verdict(
        best.recipe,
        best.best(),
        to_baseline,
        to_next,
        _headline(best, to_baseline or to_next, to_next, baseline),
        tuple(_details(best, others, to_baseline, to_next, baseline) + _caution(test_images)),
    )


def _headline(best: RecipeScores, lead: Gap | None, to_next: Gap | None, baseline: str) -> str:
    name, score = best.recipe, best.best()
    if lead is None:
        return f"Only {name} was evaluated (mIoU {score.text()}): there is nothing to compare it with."
    if lead.margin is None:
        return (
            f"{name} scores highest, {lead.value:.3f} mIoU above {lead.rival}, but one seed cannot tell this from luck."
        )
    if not lead.clear:
        return f"No clear winner: {name} leads {lead.rival} by {lead.value:.3f} mIoU, within {_margin(lead)}."
    if name == baseline:
        return f"The baseline wins: {name} is {lead.value:.3f} mIoU above {lead.rival}, the best of the other recipes."
    if to_next is not None and to_next.margin is not None and not to_next.clear:
        start = f"{name} beats {lead.rival} by {lead.value:.3f} mIoU, beyond {_margin(lead)}"
        return f"{start}; it is not clearly better than {to_next.rival}."
    return f"{name} wins: {lead.value:.3f} mIoU above {lead.rival}, beyond {_margin(lead)}."


def _margin(lead: Gap) -> str:
    return f"the 95 % margin of {lead.margin:.3f} over seeds"


def _details(
    best: RecipeScores, others: Sequence[RecipeScores], to_baseline: Gap | None, to_next: Gap | None, baseline: str
) -> list[str]:
    sentences = [_scored(best)]
    if best.recipe != baseline and to_baseline is None:
        sentences.append(f"The baseline {baseline} was not evaluated, so the gain over it is unknown.")
    sentences += [_against(g, o) for g, o in ((gap(best, other), other) for other in others)]
    if any(g and g.margin is None for g in (to_baseline, to_next)):
        sentences.append("Train each recipe with three seeds or more (train.seeds) to learn how large the luck is.")
    return sentences


def _caution(test_images: int) -> list[str]:
    if test_images >= FEW_TEST_IMAGES:
        return []
    return [f"Only {test_images} test images: which ones they are adds chance that the margin over seeds leaves out."]


def _scored(scores: RecipeScores) -> str:
    seeds = f"{len(scores.seeds)} seeds" if len(scores.seeds) > 1 else "one seed"
    rows = "" if scores.samples is None else f", trained on {scores.samples:,} samples"
    return f"{scores.recipe} reaches a mean IoU of {scores.best().text()} over {seeds}{rows}."


def _against(lead: Gap, other: RecipeScores) -> str:
    start = f"{other.recipe} reaches {other.best().text()}, {lead.value:.3f} less"
    if lead.margin is None:
        return f"{start}; with one seed the margin is unknown."
    if lead.clear:
        return f"{start}, beyond {_margin(lead)}."
    return f"{start}, within {_margin(lead)}, so this may be luck."
