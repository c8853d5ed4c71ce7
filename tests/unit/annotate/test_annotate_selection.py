"""Which images are selected, and what they are called."""

import numpy as np
import pytest
from pydantic import ValidationError

from stages.annotate.naming import distinct, image_name
from stages.annotate.params import AnnotateParams
from stages.annotate.selection import k_centres, most_uncertain, select_rows


def slow_k_centres(features, count):
    """By the definition: all distances to all chosen rows, anew for each choice."""
    centre = features.mean(axis=0)
    chosen = [min(range(len(features)), key=lambda row: (np.linalg.norm(features[row] - centre), row))]
    while len(chosen) < count:
        rest = [row for row in range(len(features)) if row not in chosen]
        gaps = {row: min(np.linalg.norm(features[row] - features[other]) for other in chosen) for row in rest}
        chosen.append(max(rest, key=lambda row: (gaps[row], -row)))
    return chosen


@pytest.mark.parametrize("seed", range(4))
def test_k_centres_are_those_of_the_slow_definition(seed):
    features = np.random.default_rng(seed).normal(size=(30, 5))
    assert k_centres(features, 9).tolist() == slow_k_centres(features, 9)


def test_each_clump_is_represented_before_any_twice():
    places = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [50, 50]], float)
    features = np.repeat(places, 6, axis=0) + np.random.default_rng(0).normal(scale=0.1, size=(30, 2))
    assert sorted(k_centres(features, 5) // 6) == [0, 1, 2, 3, 4]


def test_equal_images_are_all_taken_once_when_all_are_asked_for():
    assert sorted(k_centres(np.zeros((4, 2)), 4)) == [0, 1, 2, 3]


def test_the_most_uncertain_come_first_and_the_lower_row_of_equals():
    assert most_uncertain(np.array([0.1, 0.9, 0.5, 0.9]), 3).tolist() == [1, 3, 2]


def test_disagreement_spreads_over_the_most_uncertain_alone():
    scores = np.arange(40.0)
    features = np.random.default_rng(1).normal(size=(40, 3))
    rows = select_rows("disagreement", 4, features, scores, 0.25, 0)
    pool = np.arange(39, 29, -1)
    assert rows.tolist() == pool[slow_k_centres(features[pool], 4)].tolist()
    assert set(select_rows("disagreement", 10, features, scores, 0.1, 0)) == set(range(30, 40))


def test_random_is_a_choice_by_the_seed_without_regard_to_the_images():
    features = np.random.default_rng(2).normal(size=(20, 3))
    first = select_rows("random", 6, features, np.zeros(20), 1.0, 0)
    assert len(set(first.tolist())) == 6
    assert select_rows("random", 6, features[::-1], np.zeros(20), 1.0, 0).tolist() == first.tolist()
    assert select_rows("random", 6, features, np.zeros(20), 1.0, 1).tolist() != first.tolist()


def test_a_name_changes_with_any_pixel_and_with_the_size():
    image = np.zeros((4, 6, 1), np.uint8)
    other = image.copy()
    other[3, 5, 0] = 1
    names = [image_name(image), image_name(other), image_name(image.reshape(6, 4, 1))]
    assert len(set(names)) == 3
    assert image_name(image.copy()) == names[0]
    assert image_name(np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(4, 6, 1))) == image_name(
        np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
    )


def test_of_equal_images_the_first_is_kept():
    assert distinct(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 3]


def test_fewer_candidates_than_images_are_refused():
    with pytest.raises(ValidationError, match="candidates: 10, but 20 images are to be selected"):
        AnnotateParams(candidates=10, images=20)
