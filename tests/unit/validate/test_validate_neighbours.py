"""Nearest images against brute force and hand-worked distances."""

import numpy as np
import pytest

from stages.validate import neighbours
from stages.validate.neighbours import block_mean, nearest, reduce, shifts, usual_distance


def coarse_images(count: int, seed: int, side: int = 16) -> np.ndarray:
    """Images that are constant over 4 x 4 blocks, so that the searched and the measured space agree."""
    blocks = np.random.default_rng(seed).uniform(0, 255, (count, side // 4, side // 4, 1)).astype(np.float32)
    return blocks.repeat(4, axis=1).repeat(4, axis=2)


def brute(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    return np.sqrt(((queries[:, None] - references[None]) ** 2).mean(axis=(2, 3, 4)))


def test_block_mean_by_hand_with_a_repeated_edge():
    image = np.array([[1, 3, 10], [5, 7, 20]], np.uint8)[None, :, :, None]
    assert block_mean(image, 2)[0, :, :, 0].tolist() == [[4, 15]]
    assert block_mean(image, 1)[0, :, :, 0].tolist() == image[0, :, :, 0].tolist()
    assert block_mean(image, 3)[0, 0, 0, 0] == pytest.approx((1 + 3 + 10 + 2 * (5 + 7 + 20)) / 9)


def test_reduce_brings_large_images_to_32():
    assert reduce(np.zeros((2, 64, 60, 3), np.uint8)).shape == (2, 32, 30, 3)
    assert reduce(np.zeros((2, 28, 28, 1), np.uint8)).shape == (2, 28, 28, 1)


def test_nearest_agrees_with_brute_force_over_several_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ENTRIES", 60)
    queries, references = coarse_images(25, 0), coarse_images(20, 1)
    found, table = nearest(queries, references), brute(queries, references)
    assert found.position.tolist() == table.argmin(axis=1).tolist()
    np.testing.assert_allclose(found.distance, table.min(axis=1), rtol=1e-5)


def test_limits_show_only_earlier_images(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ENTRIES", 60)
    images = coarse_images(20, 2)
    found, table = nearest(images, images, limits=np.arange(20)), brute(images, images)
    assert found.position[0] == -1
    assert np.isinf(found.distance[0])
    for i in range(1, 20):
        assert found.position[i] == table[i, :i].argmin()


def test_own_is_never_matched():
    images = coarse_images(6, 3)
    table = brute(images, images) + np.diag([np.inf] * 6)
    assert nearest(images, images, own=np.arange(6)).position.tolist() == table.argmin(axis=1).tolist()


def test_without_references_nothing_is_near():
    found = nearest(coarse_images(2, 0), coarse_images(2, 0)[:0])
    assert found.position.tolist() == [-1, -1]
    assert np.isinf(found.distance).all()


def test_a_copy_moved_by_a_pixel_is_found_when_shifts_are_searched():
    references = np.random.default_rng(4).uniform(0, 255, (10, 16, 16, 1)).astype(np.float32)
    references[:, :2] = references[:, -2:] = references[:, :, :2] = references[:, :, -2:] = 0
    query = np.roll(references[3:4], (1, -1), (1, 2))
    assert nearest(query, references, reach=0).distance[0] > 10
    found = nearest(query, references, reach=1)
    assert (found.position[0], found.distance[0]) == (3, 0)


def test_shifts_repeat_the_edge():
    image = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    moved = [s[0, :, :, 0].tolist() for s in shifts(image, 1)]
    assert len(moved) == 9
    assert moved[0] == [[0, 0], [0, 0]]
    assert moved[4] == [[0, 1], [2, 3]]
    assert moved[5] == [[1, 1], [3, 3]]


def test_usual_distance_is_the_quantile_of_the_nearest_others():
    levels = np.array([0, 10, 13, 50], np.float32)
    reals = np.ones((4, 8, 8, 1), np.float32) * levels[:, None, None, None]
    # The nearest other of each: 10, 3, 3 and 37 grey levels away.
    assert usual_distance(reals, 0, 0.0, 4) == pytest.approx(3)
    assert usual_distance(reals, 0, 1.0, 4) == pytest.approx(37)
    assert usual_distance(reals[:1], 0, 0.5, 4) == 0
