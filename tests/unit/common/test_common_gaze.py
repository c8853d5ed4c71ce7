import math

import numpy as np
import pytest

from stages.common.gaze import angles_of, vectors_of


def test_directions_are_of_length_1_and_point_at_the_camera() -> None:
    angles = np.array([[0, 0], [0, math.pi / 6], [math.pi / 6, 0], [0.3, -0.7]])
    vectors = vectors_of(angles)
    assert vectors[0] == pytest.approx([0, 0, -1])
    assert vectors[1] == pytest.approx([-0.5, 0, -math.sqrt(3) / 2])
    assert vectors[2] == pytest.approx([0, -0.5, -math.sqrt(3) / 2])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


def test_angles_come_back_from_directions_of_any_length() -> None:
    angles = np.random.default_rng(0).uniform(-1.2, 1.2, (50, 2))
    assert angles_of(3.7 * vectors_of(angles)) == pytest.approx(angles)
