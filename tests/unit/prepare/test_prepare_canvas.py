import numpy as np
import pytest

from stages.prepare.cropping import Box
from stages.prepare.cutouts.canvas import (
    on_canvas,
    part_of,
    parts_along,
    scaled_to_cover,
    solid_box,
    with_colours_spread,
)
from stages.prepare.reading import resized
from stages.prepare.records import Pixels


def cut_out(height: int, width: int, rows: slice, columns: slice, channels: int = 3) -> Pixels:
    """A red (or light) object on green, whose alpha is 255 in one rectangle."""
    image = np.zeros((height, width, channels), np.uint8)
    image[:, :, -1 if channels == 1 else 1] = 200
    alpha = np.zeros((height, width), np.uint8)
    alpha[rows, columns] = 255
    image[rows, columns] = 90 if channels == 1 else (250, 0, 0)
    return Pixels(image, alpha=alpha, class_id=2)


def test_the_tightest_box_counts_from_the_opacity_asked_for():
    alpha = np.zeros((6, 8), np.uint8)
    alpha[1, 2] = 1
    alpha[2:5, 3:6] = 128
    assert solid_box(alpha) == Box(3, 2, 3, 3)
    assert solid_box(alpha, least=1) == Box(2, 1, 4, 4)


def test_a_small_object_keeps_its_pixels_and_stands_in_the_middle():
    found = on_canvas(cut_out(30, 30, slice(20, 24), slice(1, 7)), (16, 20), largest=1.0)
    assert found.alpha is not None
    assert solid_box(found.alpha) == Box(7, 6, 6, 4)
    assert found.alpha.sum() == 255 * 24
    assert (found.image[found.alpha > 0] == (250, 0, 0)).all()
    assert found.class_id == 2


@pytest.mark.parametrize(("largest", "box"), [(1.0, Box(0, 4, 16, 8)), (0.5, Box(4, 6, 8, 4))])
def test_a_large_object_is_scaled_down_to_fit_without_distortion(largest, box):
    found = on_canvas(cut_out(100, 100, slice(10, 50), slice(5, 85)), (16, 16), largest)
    assert found.alpha is not None
    assert solid_box(found.alpha) == box


def test_the_colours_go_on_outside_of_the_object():
    found = on_canvas(cut_out(30, 30, slice(10, 14), slice(10, 14)), (16, 16), 1.0)
    assert (found.image == (250, 0, 0)).all()
    image = np.arange(4, dtype=np.uint8).reshape(1, 4, 1)
    alpha = np.array([[0, 200, 90, 0]], np.uint8)
    assert with_colours_spread(image, alpha)[0, :, 0].tolist() == [1, 1, 2, 1]


def test_hidden_colours_do_not_shine_into_a_shrunken_object():
    pixels = cut_out(64, 64, slice(16, 48), slice(16, 48))
    small = resized(pixels, (16, 16))
    assert small.alpha is not None
    shown = small.image[small.alpha > 32]
    assert shown[:, 1].max() <= 8  # the green around it
    assert shown[:, 0].min() >= 240


def test_boxes_are_resized_with_their_image():
    boxes = np.array([[3, 2, 6, 8, 4]], np.float32)
    found = resized(Pixels(np.zeros((10, 20, 1), np.uint8), boxes=boxes), (20, 10))
    assert found.boxes is not None
    assert found.boxes.tolist() == [[1.5, 4, 3, 16, 4]]
    assert found.boxes.dtype == np.float32


def test_a_background_covers_the_frame_and_is_cropped_in_the_middle_or_anywhere():
    image = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None], (20, 60, 1)).copy()
    middle = part_of(image, (20, 20), None)
    assert middle.shape == (20, 20, 1)
    assert middle[0, :, 0].tolist() == list(range(20, 40))
    starts = {int(part_of(image, (20, 20), np.random.default_rng(seed))[0, 0, 0]) for seed in range(40)}
    assert min(starts) < 10
    assert max(starts) > 30
    assert scaled_to_cover(image, (10, 15)).shape == (10, 30, 1)


def test_fixed_parts_lie_all_along_the_free_direction_with_both_ends_and_the_middle():
    image = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None], (20, 60, 1)).copy()
    assert [int(part[0, 0, 0]) for part in parts_along(image, (20, 20))] == list(range(41))
    wide = np.broadcast_to(np.arange(205, dtype=np.uint8)[None, :, None], (128, 205, 1)).copy()
    starts = [int(part[0, 0, 0]) for part in parts_along(wide, (128, 128))]
    assert {0, 38, 77} <= set(starts)
    assert np.diff(starts).max() == 2
    assert [part.shape for part in parts_along(wide, (128, 205))] == [(128, 205, 1)]
