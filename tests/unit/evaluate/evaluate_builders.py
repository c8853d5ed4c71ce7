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
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.targets.base import Metric, Target
from stages.train.targets.gaze import GazeTarget
from stages.train.targets.segmentation import SegmentationTarget

MIOU, GAZE = SegmentationTarget.metric, GazeTarget.metric
PCK = Metric("pck", "share of keypoints within 5 px", "PCK", True, range="0 to 1", part="pck/")
EYES = DatasetSpec(name="eyes", size=(36, 60), channels=1, gaze=True)


def scored(recipe: str, mious: Sequence[float], samples: int | None = 50, **classes: Sequence[float]) -> RecipeScores:
    """A recipe with these scores, one a seed."""
    by_seed = {
        seed: {"miou": miou, **{f"iou/{name}": values[seed] for name, values in classes.items()}}
        for seed, miou in enumerate(mious)
    }
    return collect(recipe, samples, MIOU, by_seed)


def gaze_scored(recipe: str, degrees: Sequence[float], samples: int | None = 50) -> RecipeScores:
    """A recipe with these errors of gaze, one a seed; of each seed 3 % less of the images a degree are within 7."""
    by_seed = {i: {"gaze_deg": value, "within_7deg": 1 - 0.03 * value} for i, value in enumerate(degrees)}
    return collect(recipe, samples, GAZE, by_seed)


def pck_scored(recipe: str, shares: Sequence[float], **points: Sequence[float]) -> RecipeScores:
    """A recipe with these shares of found keypoints, one a seed; `points` as `k0=[...]`."""
    by_seed = {
        seed: {"pck": share, "distance_px": 9 * (1 - share)}
        | {f"pck/{name[1:]}": values[seed] for name, values in points.items()}
        for seed, share in enumerate(shares)
    }
    return collect(recipe, 50, PCK, by_seed)


def target_of(spec: DatasetSpec) -> Target:
    """The target that suits a dataset."""
    return make_target(spec, TrainParams())


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
            {s.recipe: "" for s in scores} | {"real": "beef"},
        ),
        "champion": {"status": "promoted", "reason": "Version 1 of handful-digits is the champion."},
        "features": "random_conv",
        "license": "cc-by-4.0",
        "task": "segmentation",
    }
    return Findings(**values | changes)


def gaze_findings(root: Path, scores: Sequence[RecipeScores], **changes: Any) -> Findings:
    """Findings of a comparison of simulated and refined eyes."""
    values = {"spec": EYES, "task": "gaze", "baseline": "simulated", "verdict": judge(scores, "simulated", 40)}
    facts, data = {"commit": "abc123", "torch": "2.9"}, dict.fromkeys((s.recipe for s in scores), "beef")
    values["provenance"] = Provenance({"train.steps": 800}, facts, {"evaluate": 1.5}, "feed", data)
    return made_findings(root, scores, **values | changes)
