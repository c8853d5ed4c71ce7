"""CVAT's own library against the masks that are written for it."""

from xml.etree import ElementTree

import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, assert_same, items, masks_of, random_mask

from stages.common.exchange import cvat
from stages.common.exchange.cvat_xml import ANNOTATIONS

masks = pytest.importorskip("cvat_sdk.masks", reason="not installed yet; `make install` does it")
LABELS = {"head": 1, "left hand": 2, "tail": 3, "ignore": 255}


def numbers_of(shape) -> list[int]:
    """A mask of the XML as CVAT's interface passes it on: runs, then the edges of the box, all within it."""
    left, top, width, height = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
    runs = [int(count) for count in shape.attrib["rle"].split(",")]
    return [*runs, left, top, left + width - 1, top + height - 1]


def test_the_library_decodes_the_masks_that_are_written(tmp_path):
    cvat.write(tmp_path, items(), CLASSES)
    found = {}
    for image in ElementTree.parse(tmp_path / ANNOTATIONS).getroot().iter("image"):
        mask = np.zeros(SIZE, np.uint8)
        for shape in image.iter("mask"):
            region = masks.decode_mask(numbers_of(shape), image_width=SIZE[1], image_height=SIZE[0])
            mask[region] = LABELS[shape.attrib["label"]]
            assert masks.encode_mask(region) == numbers_of(shape)
        found[image.attrib["name"].removesuffix(".png")] = mask
    assert_same(found, masks_of(items()) | {"new": np.zeros(SIZE)})


def test_masks_that_the_library_encodes_are_read(tmp_path):
    root, wanted = ElementTree.Element("annotations"), {}
    for seed in range(4):
        mask = random_mask(seed)
        image = ElementTree.SubElement(root, "image", name=f"{seed}.png", width=str(SIZE[1]), height=str(SIZE[0]))
        for label, class_id in LABELS.items():
            *runs, left, top, right, bottom = map(int, masks.encode_mask(mask == class_id))
            said = {"left": left, "top": top, "width": right - left + 1, "height": bottom - top + 1}
            said = {key: str(number) for key, number in said.items()}
            ElementTree.SubElement(image, "mask", said, label=label, rle=", ".join(map(str, runs)))
        wanted[str(seed)] = mask
    path = tmp_path / ANNOTATIONS
    path.write_bytes(ElementTree.tostring(root))
    assert_same(cvat.read(path, SIZE, CLASSES), wanted)
