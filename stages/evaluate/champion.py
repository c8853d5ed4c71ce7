"""Putting the winner's model forward as the champion."""

from typing import Any

import numpy as np

from stages.common.digests import file_digest
from stages.common.samples import SampleSet
from stages.common.tensors import to_images
from stages.common.tracking import Tracker
from stages.evaluate.predict import Evaluated
from stages.evaluate.registry import Candidate, off, promote, report
from stages.train.targets import load_target

TIMEOUT_S = 600.0


def put_forward(track: Tracker, best: Evaluated, model: str, test_digest: str, test: SampleSet) -> dict[str, Any]:
    """Register the chosen seed of the winner through the tracker; what champion.json says."""
    weights = best.models[best.seed]
    (target, module), example = load_target(weights), example_rows(test.images)
    candidate = Candidate(
        name=model,
        recipe=best.scores.recipe,
        seed=best.seed,
        metric=best.scores.metric,
        score=best.scores.best().mean,
        test_digest=test_digest,
        weights_digest=file_digest(weights),
        weights=weights,
        exportable=target.exportable,
    )
    outcome = track.call(lambda mlflow: promote(mlflow, candidate, module, example), TIMEOUT_S)
    return off(candidate) if outcome is None else report(candidate, outcome)


def example_rows(images: np.ndarray) -> np.ndarray:
    """(2, C, H, W) float32 in [-1, 1]: the first two images, or the only one twice."""
    rows = images[:2] if len(images) > 1 else np.repeat(images[:1], 2, axis=0)
    return to_images(rows).numpy()
