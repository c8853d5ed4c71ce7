import numpy as np

from stages.prepare.cropping import Box, box_around, cropped, reaches_out
from stages.prepare.records import Pixels


def test_a_crop_takes_every_label_along():
    image = np.arange(48, dtype=np.uint8).reshape(6, 8, 1)
    points = np.array([[4, 3, 2], [1, 1, 2], [4, 3, 0]], np.float32)
    pixels = Pixels(image, mask=image[:, :, 0] % 7, keypoints=points, depth=image[:, :, 0].astype(np.float32))
    part = cropped(pixels, Box(left=3, top=2, width=4, height=3))
    assert (part.image == image[2:5, 3:7]).all()
    assert part.mask is not None
    assert (part.mask == image[2:5, 3:7, 0] % 7).all()
    assert part.depth is not None
    assert (part.depth == image[2:5, 3:7, 0]).all()
    assert part.keypoints is not None
    assert part.keypoints.tolist() == [[1, 1, 2], [-2, -1, 1], [1, 1, 0]]


def test_what_a_box_takes_from_outside_is_zero():
    image = np.full((6, 8, 3), 9, np.uint8)
    for box, inside in (
        (Box(-2, -1, 4, 4), (slice(1, 4), slice(2, 4))),
        (Box(6, 4, 4, 4), (slice(0, 2), slice(0, 2))),
        (Box(-1, -1, 10, 8), (slice(1, 7), slice(1, 9))),
        (Box(20, 20, 3, 3), (slice(0, 0), slice(0, 0))),
        (Box(-20, -20, 3, 3), (slice(0, 0), slice(0, 0))),
    ):
        expected = np.zeros((box.height, box.width, 3), np.uint8)
        expected[inside] = 9
        np.testing.assert_array_equal(cropped(Pixels(image), box).image, expected)
        assert reaches_out(box, image)
    assert not reaches_out(Box(0, 0, 8, 6), image)


def test_a_box_lies_around_its_point():
    assert box_around(4, 3, 3, 1) == Box(3, 2, 3, 3)
    assert box_around(3.5, 2.5, 4, 0.5) == Box(2, 2, 4, 2)
