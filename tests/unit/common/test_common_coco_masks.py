import numpy as np
import pytest

from stages.common.coco_masks import decoded, polygons_mask, runs_mask, unpacked


def test_runs_go_down_the_columns_and_start_outside():
    mask = runs_mask([1, 2, 2, 1], (2, 3))
    assert mask.tolist() == [[False, True, False], [True, False, True]]


def test_packed_runs_of_a_rectangle_with_a_hole():
    """The text is what COCO's own API writes for this mask."""
    mask = np.zeros((6, 9), bool)
    mask[1:5, 2:7] = True
    mask[3, 3] = False
    np.testing.assert_array_equal(decoded({"size": [6, 9], "counts": "=42NOO130000;"}, (6, 9)), mask)


def test_packed_numbers_may_take_several_characters_and_be_negative():
    assert unpacked("m3") == [125]
    assert unpacked("=42") == [13, 4, 2]
    assert unpacked("=42N") == [13, 4, 2, 2]


def test_a_polygon_counts_from_the_corner_of_the_image():
    mask = polygons_mask([[10, 20, 30, 20, 30, 28, 10, 28]], (40, 50))
    assert mask[20:28, 10:30].all()
    assert mask.sum() == 8 * 20


def test_several_polygons_are_one_object():
    mask = decoded([[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 8, 6, 8, 8, 6, 8]], (10, 10))
    assert mask.sum() == 16 + 4


@pytest.mark.parametrize(
    ("segmentation", "text"),
    [
        ([[1, 2, 3, 4]], "a polygon of 4 numbers"),
        ({"size": [3, 2], "counts": [6]}, r"run lengths for \[3, 2\]"),
        ({"size": [2, 3], "counts": [5]}, "do not add up to 2 x 3"),
        ({"size": [2, 3], "counts": [7, -1]}, "do not add up"),
        ({"size": [2, 3], "counts": "m"}, "cut off"),
        ({"size": [2, 3], "counts": "\x7f\n"}, "packed run lengths hold"),
        ({"counts": [6]}, "neither polygons nor run lengths"),
        ("polygon", "neither polygons nor run lengths"),
    ],
)
def test_what_is_no_segmentation_is_refused(segmentation, text):
    with pytest.raises(ValueError, match=text):
        decoded(segmentation, (2, 3))
