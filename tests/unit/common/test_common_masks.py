import numpy as np

from stages.common.masks import regions


def test_the_regions_of_each_class_are_objects():
    mask = np.zeros((20, 20), np.uint8)
    mask[0:5, 0:5] = 2
    mask[5:9, 5:9] = 2  # touches the first at a corner
    mask[12:18, 12:18] = 2
    mask[14:19, 0:4] = 1
    mask[0, 15:18] = 1  # too small
    mask[0, 19] = 255
    found = regions(mask)
    assert [(label, int(region.sum())) for label, region in found] == [(1, 20), (2, 41), (2, 36)]
