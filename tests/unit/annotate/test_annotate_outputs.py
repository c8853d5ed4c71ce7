"""What `annotate` says about the guesses of the label generator."""

import warnings

import numpy as np
import pytest

from stages.annotate.outputs import guess_quality
from stages.common.spec import IGNORE


def test_a_guess_is_scored_by_the_classes_that_the_annotations_show() -> None:
    labels = np.array([[[0, 0, 1, 1], [0, 0, 1, IGNORE]]], np.uint8)
    guess = np.array([[[0, 1, 1, 1], [0, 0, 1, 2]]], np.uint8)
    # Background 3 of 4 pixels, class 1 3 of 4, class 2 is on no annotated pixel.
    assert guess_quality("masks", guess, labels, 3) == {"annotate/guess_miou": pytest.approx(0.75)}


@pytest.mark.parametrize("kind", ["masks", "keypoints", "depth"])
def test_annotations_that_say_nothing_score_nothing(kind: str) -> None:
    labels = {
        "masks": np.full((2, 4, 4), IGNORE, np.uint8),
        "keypoints": np.zeros((2, 3, 3), np.float32),
        "depth": np.zeros((2, 4, 4), np.float32),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert guess_quality(kind, np.ones_like(labels), labels, 3) == {}
