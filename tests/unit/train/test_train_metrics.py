import numpy as np
import pytest

from stages.common.errors import UserError
from stages.train.metrics import segmentation_scores


def test_a_case_worked_by_hand() -> None:
    masks = np.array([[[0, 0, 1, 255], [1, 1, 0, 255]]], np.uint8)
    predictions = np.array([[[0, 0, 1, 1], [2, 1, 0, 0]]], np.uint8)
    # background 3/3; a: 2 hit, 1 missed = 2/3; b: predicted once, never true, and c: nowhere, so they do not count
    scores = segmentation_scores(predictions, masks, ("background", "a", "b", "c"))
    assert scores == pytest.approx({"miou": 5 / 6, "iou/background": 1.0, "iou/a": 2 / 3})


def test_a_stray_pixel_of_a_class_that_no_mask_shows_costs_the_class_that_loses_it_alone() -> None:
    masks = np.zeros((1, 10, 10), np.uint8)
    masks[:, 5:] = 1
    predictions = masks.copy()
    predictions[0, 4] = 1
    classes = ("background", "a", "b")
    assert segmentation_scores(predictions, masks, classes)["miou"] == pytest.approx((40 / 50 + 50 / 60) / 2)
    predictions[0, 0, 0] = 2
    scores = segmentation_scores(predictions, masks, classes)
    assert scores == pytest.approx(
        {"miou": (39 / 50 + 50 / 60) / 2, "iou/background": 39 / 50, "iou/a": 50 / 60}, abs=1e-6
    )


def test_pooled_over_the_set_as_a_slow_count_says() -> None:
    random = np.random.default_rng(0)
    masks, predictions = random.integers(0, 5, (600, 6, 7), np.uint8), random.integers(0, 5, (600, 6, 7), np.uint8)
    masks[random.random(masks.shape) < 0.2] = 255
    kept = masks != 255
    expected = []
    for number in range(5):
        predicted, true = (predictions == number) & kept, masks == number
        expected.append((predicted & true).sum() / (predicted | true).sum())
    scores = segmentation_scores(predictions, masks, tuple("abcde"))
    assert scores["miou"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert [scores[f"iou/{name}"] for name in "abcde"] == pytest.approx(expected, abs=1e-6)


def test_masks_without_a_labelled_pixel_are_refused() -> None:
    ignored = np.full((2, 3, 3), 255, np.uint8)
    with pytest.raises(UserError, match="no labelled pixel"):
        segmentation_scores(np.zeros_like(ignored), ignored, ("background", "a"))
