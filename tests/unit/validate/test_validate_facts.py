"""Facts of single samples against hand-worked arrays."""

import numpy as np
import pandas as pd
import pytest

from stages.common.spec import DatasetSpec
from stages.validate.facts import (
    WHITE_NOISE,
    brightness,
    duplicate_facts,
    genuine_reals,
    label_facts,
    noise,
    pixel_facts,
)
from stages.validate.reading import JudgedSet

SPEC = DatasetSpec(name="toy", size=(8, 8), channels=1, classes=("background", "a", "b"))


def judged(images: np.ndarray, masks: np.ndarray, recipes: list[str]) -> JudgedSet:
    keys, there = [f"k{i}" for i in range(len(images))], np.ones(len(images), bool)
    return JudgedSet(images, masks, there, there, pd.DataFrame({"key": keys, "recipe": recipes}))


def test_brightness_is_the_mean_of_the_channels():
    assert brightness(np.array([[[[0, 30, 60]]]], np.uint8)).tolist() == [[[30.0]]]


def test_noise_of_one_bright_pixel():
    grey = np.zeros((1, 16, 16), np.float32)
    grey[0, 8, 8] = 16
    # What the filter leaves of it is 16 * (delta - kernel / 16): 12 in the middle, -2 at four, -1 at four pixels.
    squares, mean = 12**2 + 4 * 2**2 + 4 * 1**2, 0.0
    expected = (squares / 256 - mean**2) / (16**2 / 256 - (16 / 256) ** 2)
    assert noise(grey)[0] == pytest.approx(expected, rel=1e-5)


def test_noise_tells_white_noise_from_a_ramp_and_a_flat_image():
    white = np.random.default_rng(0).normal(128, 20, (1, 64, 64)).astype(np.float32)
    ramp = np.tile(np.arange(64, dtype=np.float32), (1, 64, 1))
    flat = np.full((1, 64, 64), 7, np.float32)
    found = noise(np.concatenate([white, ramp, flat]))
    assert found[0] == pytest.approx(WHITE_NOISE, abs=0.03)
    assert found[1] < 1e-3
    assert found[2] == 0


def test_label_facts_count_by_hand():
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[0, 0, :3] = 1
    masks[0, 4:6, 4:6] = 2
    masks[0, 7, 7] = 57
    masks[0, 7, 0] = 255
    facts = label_facts(masks, SPEC)
    assert facts["unknown_pixels"].tolist() == [1, 0]
    assert facts["labelled_pixels"].tolist() == [8, 0]
    assert facts["foreground_share"][0] == 8 / 64
    assert np.isnan(facts["foreground_share"][1])
    assert facts["classes"].tolist() == [2, 0]
    assert facts["has_class_1"].tolist() == [1, 0]
    assert (facts["regions"][0], facts["specks"][0], facts["largest_region"][0]) == (3, 1, 4)


def test_pixel_facts_span_chunks(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    masks = np.random.default_rng(1).integers(0, 3, (5, 8, 8)).astype(np.uint8)
    whole = pixel_facts(judged(images, masks, ["gan"] * 5), SPEC)
    monkeypatch.setattr("stages.validate.facts.CHUNK", 2)
    pd.testing.assert_frame_equal(pixel_facts(judged(images, masks, ["gan"] * 5), SPEC), whole)


def test_value_range_and_contrast():
    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[0, :4] = 200
    facts = pixel_facts(judged(images, np.zeros((1, 8, 8), np.uint8), ["gan"]), SPEC).iloc[0]
    assert (facts["image_min"], facts["image_max"], facts["contrast"]) == (0, 200, 100)


def test_a_real_row_must_be_an_image_and_label_of_the_reference():
    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8, 1)
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[:, 2, 2] = 1
    relabelled = masks.copy()
    relabelled[1, 3, 3] = 1
    reference = judged(images[:2], masks[:2], ["real"] * 2)
    found = genuine_reals(judged(images, relabelled, ["real", "real", "gan"]), reference)
    assert found[:2].tolist() == [1, 0]
    assert np.isnan(found[2])


def test_a_duplicate_names_the_earlier_sample_and_real_rows_come_first():
    a, b = np.full((8, 8, 1), 10, np.uint8), np.full((8, 8, 1), 90, np.uint8)
    nearly = b.copy()
    nearly[0, 0] = 91
    samples = judged(np.stack([a, b, nearly, a]), np.zeros((4, 8, 8), np.uint8), ["gan", "gan", "gan", "real"])
    facts = pd.DataFrame(duplicate_facts(samples, pixel_facts(samples, SPEC)["image_digest"]))
    assert facts["exact_duplicate_of"].isna().tolist() == [False, True, True, True]
    assert facts["exact_duplicate_of"][0] == "k3"
    assert facts["near_sample"].iloc[2] == "k1"
    # One pixel of 64 differs by 1, seen as a 2 x 2 mean: a block differs by 1/4, so the root mean square is 1/16.
    assert facts["near_sample_distance"].iloc[2] == pytest.approx(1 / 16)
    assert np.isnan(facts["near_sample_distance"][3])
