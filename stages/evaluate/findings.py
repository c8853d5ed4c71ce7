"""All that the report and the cards are written from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.common.spec import DatasetSpec
from stages.evaluate.evidence import Evidence
from stages.evaluate.provenance import Provenance
from stages.evaluate.scores import RecipeScores
from stages.evaluate.verdict import Verdict


@dataclass(frozen=True)
class Findings:
    """scores: in the order of params.yaml. missing: recipes without models. test_images: how many were scored.

    chosen: recipe -> the seed whose model is shown and registered. champion: what champion.json holds. features: the
    feature space of the GAN's distances.
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

    @property
    def best(self) -> RecipeScores:
        """The scores of the winner."""
        return next(s for s in self.scores if s.recipe == self.verdict.winner)
