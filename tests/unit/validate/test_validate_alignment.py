"""The alignment fact: 1 in place, falling as the label moves, and the shift it tells."""

import numpy as np
import pytest

from stages.validate.alignment import REACH, alignment, borders, correlations, gradients


def blob() -> tuple[np.ndarray, np.ndarray]:
    """A bright L on a dark ground with its exact mask, 24 x 24."""
    mask = np.zeros((1, 24, 24), np.uint8)
    mask[0, 8:16, 8:11] = 1
    mask[0, 13:16, 8:15] = 1
    return mask.astype(np.float32) * 200, mask


def test_borders_are_both_sides_and_none_at_ignore():
    mask = np.array([[[0, 0, 1, 1, 255]]], np.uint8)
    assert borders(mask, 255).tolist() == [[[False, True, True, False, False]]]


def test_gradient_of_a_ramp():
    grey = np.tile(np.arange(4, dtype=np.float32) * 3, (1, 2, 1))
    assert gradients(grey).tolist() == [[[3, 6, 6, 3]] * 2]


def test_correlations_agree_with_the_sum_they_stand_for():
    rng = np.random.default_rng(0)
    edges, lines = rng.random((2, 2, 11, 13)).astype(np.float32)
    found = correlations(edges, lines)
    for dy, dx in ((0, 0), (3, -2), (-6, 6), (-1, 0)):
        rows, columns = range(max(0, -dy), min(11, 11 - dy)), range(max(0, -dx), min(13, 13 - dx))
        expected = sum(edges[1, y + dy, x + dx] * lines[1, y, x] for y in rows for x in columns)
        assert found[1, REACH + dy, REACH + dx] == pytest.approx(expected, rel=1e-4)


def test_a_label_in_place_is_aligned():
    grey, mask = blob()
    aligned, shift = alignment(grey, mask, 255)
    assert (aligned[0], shift[0]) == (pytest.approx(1), 0)


@pytest.mark.parametrize(("down", "right", "length"), [(0, 2, 2), (3, 4, 5), (-4, 0, 4)])
def test_a_moved_label_tells_how_far(down, right, length):
    grey, mask = blob()
    aligned, shift = alignment(grey, np.roll(mask, (down, right), (1, 2)), 255)
    assert shift[0] == pytest.approx(length)
    assert aligned[0] < 0.8


def test_alignment_falls_with_the_shift():
    grey, mask = blob()
    found = [alignment(grey, np.roll(mask, step, 2), 255)[0][0] for step in (0, 1, 2, 4)]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 0.4


def test_nothing_to_align_is_nan():
    grey, mask = blob()
    assert np.isnan(alignment(grey, np.zeros_like(mask), 255)).all()
    assert np.isnan(alignment(np.zeros_like(grey), mask, 255)).all()
