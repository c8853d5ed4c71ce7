"""Pictures: what is shown, and in which order."""

import numpy as np
import pandas as pd

from stages.validate.pictures import CAPTION_HEIGHT, MIN_WIDTH, captioned, neighbours_picture, pairs, quarantine_picture


def test_a_caption_is_drawn_above_the_picture():
    picture = captioned(np.full((20, 400, 3), 77, np.uint8), "some text")
    assert picture.shape == (20 + CAPTION_HEIGHT, 400, 3)
    assert (picture[CAPTION_HEIGHT:] == 77).all()
    assert (picture[:CAPTION_HEIGHT] < 128).any()


def test_pairs_stand_above_one_another():
    upper, lower = np.full((2, 32, 32, 1), 50, np.uint8), np.full((2, 32, 32, 1), 200, np.uint8)
    picture = pairs(upper, lower)
    assert picture[40, 40, 0] == 50
    assert picture[40 + 66, 40, 0] == 200


def test_an_empty_quarantine_says_so():
    nothing = pd.DataFrame({"key": [], "reasons": []})
    picture = quarantine_picture(np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8)), pd.Series(["a"]), nothing, 2, 8)
    assert picture.shape[1] == MIN_WIDTH
    assert (picture < 128).any()


def test_each_reason_has_a_block():
    images, masks = np.zeros((3, 32, 32, 1), np.uint8), np.ones((3, 32, 32), np.uint8)
    keys = pd.Series(["a", "b", "c"])
    one = pd.DataFrame({"key": ["a", "c"], "reasons": ["no_noise", "no_noise"]})
    two = pd.DataFrame({"key": ["a", "c"], "reasons": ["no_noise", "label_not_empty; no_noise"]})
    heights = [quarantine_picture(images, masks, keys, q, 2, 8).shape[0] for q in (one, two)]
    assert heights[1] == 2 * heights[0]


def test_the_closest_pair_comes_first():
    images = np.stack([np.full((32, 32, 1), v, np.uint8) for v in (10, 20, 30)])
    training = np.stack([np.full((32, 32, 1), v, np.uint8) for v in (111, 222)])
    facts = pd.DataFrame({"near_training": ["t1", None, "t0"], "near_training_distance": [5.0, np.nan, 2.0]})
    picture = neighbours_picture(images, facts, training, np.array(["t0", "t1"], object), 4)
    top = CAPTION_HEIGHT + 40
    assert (picture[top, 40, 0], picture[top + 66, 40, 0]) == (30, 111)
    assert (picture[top, 40 + 66, 0], picture[top + 66, 40 + 66, 0]) == (10, 222)
