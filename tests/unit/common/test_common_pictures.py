import numpy as np

from stages.common.pictures import framed, mark_points, outlined, overlay, palette, with_labels


def grey(count: int = 1) -> np.ndarray:
    return np.full((count, 8, 10, 1), 100, np.uint8)


def test_an_outline_goes_along_the_outer_pixels_of_its_box():
    picture = outlined(grey(), [np.array([[2, 1, 6, 5, 1]], np.float32)], 3)[0]
    drawn = (picture == palette(3)[1]).all(axis=2)
    expected = np.zeros((8, 10), bool)
    expected[1:5, 2:6] = True
    expected[2:4, 3:5] = False
    assert (drawn == expected).all()
    assert (picture[~expected] == 100).all()


def test_an_outline_of_an_enlarged_picture_lies_where_the_box_does():
    picture = outlined(grey(), [np.array([[2, 1, 6, 5, 2]], np.float32)], 3, side=20)[0]
    rows, columns = np.where((picture == palette(3)[2]).all(axis=2))
    assert picture.shape == (16, 20, 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 9, 4, 11)


def test_boxes_that_are_no_boxes_do_not_end_the_drawing():
    rows = np.array([[6, 5, 2, 1, 1], [-5, -5, 50, 50, 400]], np.float32)
    assert outlined(grey(2), [rows, np.zeros((0, 5))], 3).shape == (2, 8, 10, 3)


def test_a_frame_has_the_colour_of_the_class_and_leaves_the_inside():
    pictures = framed(grey(2), np.array([1, 2]), 3)
    assert (pictures[0, 0] == palette(3)[1]).all()
    assert (pictures[1, :, -1] == palette(3)[2]).all()
    assert (pictures[:, 1:-1, 1:-1] == 100).all()


def test_labels_are_drawn_by_their_kind():
    boxes, ids = [np.array([[2, 1, 6, 5, 1]], np.float32)], np.array([2])
    plain = with_labels(grey(), None, None, None, 3, 1)
    assert (plain == 100).all()
    boxed = with_labels(grey(), None, None, None, 3, 1, boxes)
    assert (boxed == outlined(grey(), boxes, 3)).all()
    assert (with_labels(grey(), None, None, None, 3, 1, None, ids) == framed(grey(), ids, 3)).all()


def test_keypoints_are_drawn_over_the_classes():
    points, masks = np.array([[[2, 3, 2]]], np.float32), np.ones((1, 8, 10), np.uint8)
    assert (with_labels(grey(), None, points, None, 3, 1) == mark_points(grey(), points)).all()
    both = with_labels(grey(), masks, points, None, 3, 1)
    assert (both == mark_points(overlay(grey(), masks, 3), points)).all()
    assert (both[0, -1, -1] == overlay(grey(), masks, 3)[0, -1, -1]).all()
