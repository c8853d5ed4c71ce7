"""Which recipe is best, by how much, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.common.recipes import UPPER_BOUND
from stages.evaluate.gaps import Gap, gap
from stages.evaluate.scores import RecipeScores, Spread, ranked
from stages.evaluate.sentences import bound, caution, headline, scored, told


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


def judge(scores: Sequence[RecipeScores], baseline: str, test_images: int) -> Verdict:
    """The verdict over one or more recipes, scored by one metric on so many images. The upper bound, which has more
    labels, is told of beside the others; it wins only when it is alone."""
    rivals = [s for s in scores if s.recipe != UPPER_BOUND] or scores
    best, *others = ranked(rivals)
    bounds = [bound(best, s) for s in scores if s not in rivals]
    to_next = gap(best, others[0]) if others else None
    base = next((s for s in others if s.recipe == baseline), None)
    to_baseline = gap(best, base) if base else None
    missing = None if baseline in {score.recipe for score in scores} else baseline
    return Verdict(
        best.recipe,
        best.best(),
        to_baseline,
        to_next,
        headline(best, to_baseline or to_next, to_next, baseline),
        tuple(_details(best, others, to_baseline, to_next, missing) + bounds + caution(test_images)),
    )


def _details(
    best: RecipeScores,
    others: Sequence[RecipeScores],
    to_baseline: Gap | None,
    to_next: Gap | None,
    missing: str | None,
) -> list[str]:
    sentences = [scored(best)]
    if missing is not None:
        sentences.append(f"The baseline {missing} was not evaluated, so the gain over it is unknown.")
    sentences += [told(best, gap(best, other), other) for other in others]
    if any(g and g.margin is None for g in (to_baseline, to_next)):
        sentences.append("Train each recipe with three seeds or more (train.seeds) to learn how large the luck is.")
    return sentences
