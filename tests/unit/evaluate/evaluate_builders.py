"""Findings made by hand for the tests of report and cards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.common.spec import DatasetSpec
from stages.evaluate.evidence import read_evidence
from stages.evaluate.findings import Findings
from stages.evaluate.provenance import Provenance
from stages.evaluate.scores import RecipeScores, collect
from stages.evaluate.verdict import judge


def scored(recipe: str, mious: Sequence[float], samples: int | None = 50, **classes: Sequence[float]) -> RecipeScores:
    """A recipe with these scores, one a seed."""
    by_seed = {
        seed: {"miou": miou, **{f"iou/{name}": values[seed] for name, values in classes.items()}}
        for seed, miou in enumerate(mious)
    }
    return collect(recipe, samples, by_seed)


def made_findings(
    root: Path, scores: Sequence[RecipeScores], classes: Sequence[str] = ("background", "eye"), **changes: Any
) -> Findings:
    """Findings over these scores, with whatever reports lie under `root`."""
    values: dict[str, Any] = {
        "spec": DatasetSpec(name="digits", size=(8, 8), channels=1, classes=tuple(classes)),
        "scores": scores,
        "missing": (),
        "baseline": "real",
        "verdict": judge(scores, "real", 40),
        "chosen": {s.recipe: s.seeds[0] for s in scores},
        "test_images": 40,
        "evidence": read_evidence(root, [s.recipe for s in scores]),
        "provenance": Provenance(
            {"train.steps": 800},
            {"commit": "abc123", "torch": "2.9"},
            {"evaluate": 1.5},
            "feed",
            {"real": "beef", "gan": ""},
        ),
        "champion": {"status": "promoted", "reason": "Version 1 of handful-digits is the champion."},
        "features": "random_conv",
        "license": "cc-by-4.0",
    }
    return Findings(**values | changes)
