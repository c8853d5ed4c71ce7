"""Regions against hand-worked masks and a slow flood fill."""

import numpy as np

from stages.validate.regions import regions

IGNORE = 255


def flood(mask: np.ndarray) -> list[int]:
    """Sizes of the 8-connected regions of one class, one pixel at a time."""
    left = {(y, x) for y, x in np.argwhere((mask > 0) & (mask != IGNORE)).tolist()}
    sizes = []
    while left:
        front = [left.pop()]
        size = 0
        while front:
            y, x = front.pop()
            size += 1
            around = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            same = [p for p in around if p in left and mask[p] == mask[y, x]]
            left -= set(same)
            front += same
        sizes.append(size)
    return sizes


def test_regions_of_two_classes_that_touch_are_two():
    mask = np.array([[[1, 1, 2], [0, 0, 2], [1, 0, 0]]], np.uint8)
    found = regions(mask, IGNORE)
    assert (found.count[0], found.specks[0], found.largest[0], found.smallest[0]) == (3, 1, 2, 1)


def test_regions_do_not_span_samples():
    found = regions(np.ones((3, 2, 2), np.uint8), IGNORE)
    assert found.count.tolist() == [1, 1, 1]
    assert found.largest.tolist() == [4, 4, 4]


def test_an_empty_label_has_no_region_and_no_size():
    found = regions(np.array([[[0, 255], [255, 0]]], np.uint8), IGNORE)
    assert found.count[0] == 0
    assert np.isnan(found.largest[0])
    assert np.isnan(found.smallest[0])


def test_regions_agree_with_a_flood_fill():
    masks = np.random.default_rng(0).choice([0, 0, 0, 1, 2, 255], (20, 9, 7)).astype(np.uint8)
    found = regions(masks, IGNORE)
    for i, mask in enumerate(masks):
        sizes = flood(mask)
        assert (found.count[i], found.specks[i]) == (len(sizes), sizes.count(1))
        assert (found.largest[i], found.smallest[i]) == (max(sizes), min(sizes))
