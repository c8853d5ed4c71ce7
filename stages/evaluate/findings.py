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


@dataclass(frozen=True)
class Findings:
    """scores: in the order of params.yaml. missing: recipes without models. test_images: how many were scored.

    chosen: recipe -> the seed whose model is shown and registered. champion: what champion.json holds. features: the
    feature space of the GAN's distances. task: of the targets.
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
