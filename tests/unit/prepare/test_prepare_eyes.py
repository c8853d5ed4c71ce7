import math

import numpy as np
import pytest

from stages.prepare.params import EyeParams
from stages.prepare.simulators.eyes import CLASSES, IRIS, LANDMARKS, PUPIL, SCLERA, SKIN, draw_eye

STRAIGHT = {"head_pitch": (0.0, 0.0), "head_yaw": (0.0, 0.0), "visual_axis": (0.0, 0.0)}
OPEN = {"opening": (0.36, 0.36), "centre": (0.0, 0.0), "shift": 0.0, "roll": 0.0, "width": (0.8, 0.8), **STRAIGHT}


def eye(pitch: float, yaw: float, size: tuple[int, int] = (72, 120), **changes: object):
    params = {**OPEN, "pitch": (pitch, pitch), "yaw": (yaw, yaw), **changes}
    return draw_eye(3, 0, size, EyeParams.model_validate(params))


def centre(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def test_an_eye_is_a_function_of_seed_and_number():
    one, other = (draw_eye(5, 1, (35, 55), EyeParams()) for _ in range(2))
    assert (one.image == other.image).all()
    assert (one.image != draw_eye(6, 1, (35, 55), EyeParams()).image).any()
    assert (one.image != draw_eye(5, 2, (35, 55), EyeParams()).image).any()


@pytest.mark.parametrize("size", [(35, 55), (36, 60), (72, 120)])
def test_every_label_has_the_size_of_the_image(size):
    drawn = draw_eye(0, 0, size, EyeParams())
    assert drawn.image.shape == drawn.mask.shape == drawn.depth.shape == size
    assert drawn.keypoints.shape == (2 + 2 * LANDMARKS, 3)
    assert set(np.unique(drawn.mask)) <= {SKIN, SCLERA, IRIS, PUPIL}
    assert len(CLASSES) == PUPIL + 1
    assert (drawn.depth > 0).all()


def test_the_pupil_moves_with_the_gaze():
    straight, left, up = (centre(eye(*gaze).mask == PUPIL) for gaze in ((0, 0), (0, 15), (10, 0)))
    assert straight[0] == pytest.approx(59.5, abs=0.5)
    assert left[0] < straight[0] - 8
    assert left[1] == pytest.approx(straight[1], abs=1)
    assert up[1] < straight[1] - 5


def test_the_keypoint_of_the_pupil_is_the_middle_of_its_mask():
    for pitch, yaw in ((0, 0), (-5, 10), (5, -15)):
        drawn = eye(pitch, yaw)
        x, y = centre(drawn.mask == PUPIL)
        assert drawn.keypoints[1, 0] == pytest.approx(x, abs=1)
        assert drawn.keypoints[1, 1] == pytest.approx(y, abs=1)
        assert drawn.gaze.tolist() == pytest.approx([math.radians(pitch), math.radians(yaw)], abs=1e-6)


def test_lids_bound_what_is_seen_of_the_eye():
    drawn = eye(0, 0)
    inside = drawn.mask > SKIN
    upper, lower = drawn.keypoints[2 : 2 + LANDMARKS], drawn.keypoints[2 + LANDMARKS :]
    middle = LANDMARKS // 2
    column = round(float(upper[middle, 0]))
    rows = np.nonzero(inside[:, column])[0]
    assert rows.min() == pytest.approx(upper[middle, 1], abs=1.5)
    assert rows.max() == pytest.approx(lower[middle, 1], abs=1.5)


def test_a_hidden_pupil_is_said_to_be_hidden():
    assert eye(0, 0).keypoints[1, 2] == 2
    closed = eye(30, 0, opening=(0.02, 0.02))
    assert closed.keypoints[1, 2] == 1


def test_the_parts_look_different():
    drawn = eye(0, 0, iris_tone=(0.2, 0.2), skin=(0.7, 0.7))
    tones = {part: drawn.image[drawn.mask == part].mean() for part in (SCLERA, IRIS, PUPIL)}
    assert tones[PUPIL] < tones[IRIS] < tones[SCLERA]
