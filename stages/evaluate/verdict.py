"""Which recipe is best, by how much, and whether that is more than chance: in sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.evaluate.scores import RecipeScores, Spread, winner


@dataclass(frozen=True)
class Gap:
    """The winner's lead over another recipe.

    spread: root of the summed squares of both deviations over seeds, which is the deviation of the difference of two
    models, one of each recipe; None when a recipe has one seed.
    """

    rival: str
    value: float
    spread: float | None

    @property
    def clear(self) -> bool:
        """Whether the lead is larger than its deviation."""
        return self.spread is not None and self.value > self.spread


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
        """Whether the winner's lead over the next best is larger than its deviation."""
        return self.to_next is not None and self.to_next.clear


def gap(best: RecipeScores, other: RecipeScores) -> Gap:
    """The lead of `best` over `other`."""
    one, two = best.best(), other.best()
    both = None if one.std is None or two.std is None else math.hypot(one.std, two.std)
    return Gap(other.recipe, one.mean - two.mean, both)


def judge(scores: Sequence[RecipeScores], baseline: str) -> Verdict:
    """The verdict over one or more recipes."""
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
        tuple(_details(best, others, to_baseline, to_next, baseline)),
    )


def _headline(best: RecipeScores, lead: Gap | None, to_next: Gap | None, baseline: str) -> str:
    name, score = best.recipe, best.best()
    if lead is None:
        return f"Only {name} was evaluated (mIoU {score.text()}): there is nothing to compare it with."
    if lead.spread is None:
        return (
            f"{name} scores highest, {lead.value:.3f} mIoU above {lead.rival}, but one seed cannot tell this from luck."
        )
    if not lead.clear:
        return f"No clear winner: {name} leads {lead.rival} by {lead.value:.3f} mIoU, within the spread over seeds."
    if name == baseline:
        return f"The baseline wins: {name} is {lead.value:.3f} mIoU above {lead.rival}, the best of the other recipes."
    if to_next is not None and to_next.spread is not None and not to_next.clear:
        start = f"{name} beats {lead.rival} by {lead.value:.3f} mIoU, more than the spread over seeds"
        return f"{start}; {to_next.rival} is as good within the spread."
    return f"{name} wins: {lead.value:.3f} mIoU above {lead.rival}, more than the spread over seeds."


def _details(
    best: RecipeScores, others: Sequence[RecipeScores], to_baseline: Gap | None, to_next: Gap | None, baseline: str
) -> list[str]:
    sentences = [_scored(best)]
    if best.recipe != baseline and to_baseline is None:
        sentences.append(f"The baseline {baseline} was not evaluated, so the gain over it is unknown.")
    sentences += [_against(g, o) for g, o in ((gap(best, other), other) for other in others)]
    if any(g and g.spread is None for g in (to_baseline, to_next)):
        sentences.append("Train each recipe with three seeds or more (train.seeds) to learn how large the luck is.")
    return sentences


def _scored(scores: RecipeScores) -> str:
    seeds = f"{len(scores.seeds)} seeds" if len(scores.seeds) > 1 else "one seed"
    rows = "" if scores.samples is None else f", trained on {scores.samples:,} samples"
    return f"{scores.recipe} reaches a mean IoU of {scores.best().text()} over {seeds}{rows}."


def _against(lead: Gap, other: RecipeScores) -> str:
    start = f"{other.recipe} reaches {other.best().text()}, {lead.value:.3f} less"
    if lead.spread is None:
        return f"{start}; with one seed the spread is unknown."
    if lead.clear:
        times = f"{lead.value / lead.spread:.1f} times" if lead.spread > 0 else "beyond"
        return f"{start}: {times} the spread of {lead.spread:.3f} that a change of seeds makes."
    return f"{start}: not more than the spread of {lead.spread:.3f} that a change of seeds makes, so this may be luck."
