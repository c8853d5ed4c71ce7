"""All that the report and the cards are written from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.common.recipes import JOIN
from stages.common.spec import DatasetSpec
from stages.evaluate.evidence import Evidence
from stages.evaluate.provenance import Provenance
from stages.evaluate.scores import RecipeScores
from stages.evaluate.verdict import Verdict
from stages.evaluate.wording import WORDINGS, Wording
from stages.train.targets.base import Metric

ORACLE_NOTE = "The images of annotated were annotated by an oracle, not by a person."


@dataclass(frozen=True)
class Findings:
    """scores: in the order of params.yaml. missing: recipes without models. empty: those among them
    whose set has no sample. test_images: how many were scored.

    chosen: recipe -> the seed whose model is shown and registered. champion: what champion.json holds. features: the
    feature space of the GAN's distances. task: of the targets. folds: the scores by the protocol of the articles.
    fold_count: folds of the test set; 0 where that protocol was not asked for.
    """

    spec: DatasetSpec
    scores: Sequence[RecipeScores]
    missing: Sequence[str]
    baseline: str
    verdict: Verdict
    chosen: Mapping[str, int]
    test_images: int
    evidence: Evidence
    provenance: Provenance
    champion: Mapping[str, Any]
    features: str
    license: str
    task: str
    folds: Sequence[RecipeScores] = ()
    empty: Sequence[str] = ()
    fold_count: int = 0

    @property
    def by_oracle(self) -> bool:
        """Whether an oracle stood in for the person who annotates."""
        return bool((self.evidence.annotate or {}).get("annotate/by_oracle"))

    @property
    def notes(self) -> list[str]:
        """What must be known of the comparison besides its scores, in sentences."""
        reasons = {
            recipe: "there is nothing to make its training set of" if recipe in self.empty else "it has no models yet"
            for recipe in self.missing
        }
        left_out = [f"Recipe {recipe} is not in this comparison: {why}." for recipe, why in reasons.items()]
        return left_out + [ORACLE_NOTE] * self.by_oracle

    @property
    def best(self) -> RecipeScores:
        """The scores of the winner."""
        return next(s for s in self.scores if s.recipe == self.verdict.winner)

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.scores[0].metric

    @property
    def words(self) -> Wording:
        """How to speak of the task."""
        return WORDINGS[self.task]

    def compares(self, *kinds: str) -> bool:
        """Whether a recipe of one of these kinds (`gan`, `simulated`, ...) is compared, alone or joined."""
        return any(s.recipe.removesuffix(JOIN) in kinds for s in self.scores)
