"""Cut-outs of the objects in labelled images."""

from dataclasses import replace
from functools import partial

import numpy as np

from stages.common.masks import main_class, regions
from stages.prepare.cutouts.canvas import on_canvas
from stages.prepare.records import Pixels, Record


def cut_ink(record: Record) -> list[Record]:
    """The digit of a labelled image as ink of its own."""
    return [replace(record, read=partial(_read_ink, record))]


def _read_ink(record: Record) -> Pixels:
    return ink(record.read())


def ink(pixels: Pixels) -> Pixels:
    """A light digit on black as a white image whose alpha is the grey value, so that pasted on black it is the same.

    pixels: image (H, W, 1) with a mask or a class of the whole image.
    """
    class_id = pixels.class_id
    if class_id is None:
        assert pixels.mask is not None
        class_id = main_class(pixels.mask)
    alpha = pixels.image[:, :, 0]
    return pixels._replace(image=np.full_like(pixels.image, 255), mask=None, alpha=alpha, class_id=class_id)


def cut_objects(record: Record, largest: float) -> list[Record]:
    """A record for each connected region of one foreground class in the mask of an image, which is read once."""
    pixels = record.read()
    assert pixels.mask is not None
    found, keypoints = regions(pixels.mask), pixels.keypoints
    if keypoints is not None and len(found) > 1:
        # Those of an image with several objects are nobody's in particular: all unknown.
        keypoints = np.zeros_like(keypoints)
    whole = Pixels(pixels.image, keypoints=keypoints, depth=pixels.depth)
    return [
        replace(
            record,
            source_id=f"{record.source_id}-{number}",
            read=partial(_object, whole._replace(class_id=class_id), region, largest),
        )
        for number, (class_id, region) in enumerate(found)
    ]


def _object(whole: Pixels, region: np.ndarray, largest: float) -> Pixels:
    alpha = np.where(region, 255, 0).astype(np.uint8)
    return on_canvas(whole._replace(alpha=alpha), (region.shape[0], region.shape[1]), largest)
