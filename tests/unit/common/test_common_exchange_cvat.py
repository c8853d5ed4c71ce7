import json
from xml.etree import ElementTree

import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, assert_same, items, masks_of, random_mask

from stages.common.errors import UserError
from stages.common.exchange import cvat
from stages.common.exchange.cvat_xml import ANNOTATIONS, LABELS

EXAMPLE = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><name>hands</name><size>3</size><mode>annotation</mode><labels>
    <label><name>head</name><color>#ff0000</color><type>any</type><attributes></attributes></label>
  </labels></task><dumped>2025-01-02 10:00:00.000000+00:00</dumped></meta>
  <image id="0" name="first/img-000.png" width="8" height="6">
    <polygon label="tail" source="manual" occluded="0" points="5.00,0.00;8.00,0.00;8.00,2.00;5.00,2.00" z_order="1">
      <attribute name="sure">yes</attribute>
    </polygon>
    <mask label="head" source="manual" occluded="0" rle="1, 2, 1, 4" left="2" top="1" width="4" height="2" z_order="0">
    </mask>
    <mask label="left hand" source="auto" rle="0, 2, 1, 1" left="4" top="1" width="2" height="2" z_order="1">
    </mask>
    <points label="nose" source="manual" occluded="0" points="1.00,1.00" z_order="0"></points>
    <tag label="blurred" source="manual"></tag>
  </image>
  <image id="1" name="img-001.png" width="8" height="6">
  </image>
  <image id="2" name="img-002.png" width="8" height="6">
    <tag label="blurred" source="manual"></tag>
  </image>
</annotations>
"""
PIXELS = [
    [0, 0, 0, 0, 0, 3, 3, 3],
    [0, 0, 0, 1, 2, 2, 3, 3],
    [0, 0, 1, 1, 1, 2, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
]


def read(tmp_path, text=EXAMPLE, names=None):
    path = tmp_path / "annotations.xml"
    path.write_text(text)
    return cvat.read(path, (6, 8), CLASSES, names)


def refused(tmp_path, old, new) -> str:
    assert old in EXAMPLE
    with pytest.raises(UserError) as error:
        read(tmp_path, EXAMPLE.replace(old, new))
    assert "\n" not in str(error.value)
    return str(error.value)


def plain_decoder(mask, size) -> np.ndarray:
    """A mask of the XML, painted pixel by pixel."""
    pixels, position = np.zeros(size, bool), 0
    left, top, width, height = (int(mask.attrib[key]) for key in ("left", "top", "width", "height"))
    for turn, count in enumerate(mask.attrib["rle"].split(", ")):
        for _ in range(int(count)):
            pixels[top + position // width, left + position % width] = turn % 2
            position += 1
    assert position == width * height
    return pixels


def test_an_export_written_by_hand_has_the_pixels_that_it_says(tmp_path):
    found = read(tmp_path)
    assert list(found) == ["img-000"]
    assert found["img-000"].tolist() == PIXELS


def test_a_plain_decoder_finds_the_masks_that_are_written(tmp_path):
    cvat.write(tmp_path, items(), CLASSES)
    root = ElementTree.parse(tmp_path / ANNOTATIONS).getroot()
    labels = {"head": 1, "left hand": 2, "tail": 3, "ignore": 255}
    found = {}
    for image in root.iter("image"):
        assert (image.attrib["height"], image.attrib["width"]) == tuple(map(str, SIZE))
        mask = np.zeros(SIZE, np.uint8)
        for one in image.iter("mask"):
            mask[plain_decoder(one, SIZE)] = labels[one.attrib["label"]]
        found[image.attrib["name"]] = mask
    wanted = {f"{name}.png": mask for name, mask in masks_of(items()).items()} | {"new.png": np.zeros(SIZE)}
    assert sorted(found) == sorted(wanted)
    for name, mask in wanted.items():
        np.testing.assert_array_equal(found[name], mask)


def test_masks_are_cut_to_their_pixels(tmp_path):
    cvat.write(tmp_path, items(), CLASSES)
    root = ElementTree.parse(tmp_path / ANNOTATIONS).getroot()
    (lone,) = [image for image in root.iter("image") if image.attrib["name"] == "img-003.png"]
    (mask,) = lone.iter("mask")
    assert [mask.attrib[key] for key in ("label", "left", "top", "width", "height", "rle")] == [
        *("tail", "7", "5", "1", "1", "0, 1")
    ]


@pytest.mark.parametrize("seed", range(3))
def test_runs_begin_outside_and_cover_every_pixel(seed):
    region = random_mask(seed) == 2
    for one in (region, ~region):
        runs = cvat.run_lengths(one)
        assert sum(runs) == one.size
        assert min(runs[1:]) > 0
        assert (runs[0] == 0) == one[0, 0]


def test_images_are_numbered_in_the_order_of_their_names(tmp_path):
    cvat.write(tmp_path, items()[::-1], CLASSES)
    images = ElementTree.parse(tmp_path / ANNOTATIONS).getroot().findall("image")
    assert [image.attrib["id"] for image in images] == ["0", "1", "2", "3", "4"]
    assert [image.attrib["name"] for image in images] == sorted(image.attrib["name"] for image in images)


def test_the_labels_for_the_task_are_written(tmp_path):
    cvat.write(tmp_path, items(), CLASSES)
    labels = json.loads((tmp_path / LABELS).read_text())
    assert [label["name"] for label in labels] == ["head", "left hand", "tail", "ignore", "checked", "empty"]
    assert [label["type"] for label in labels] == [*["any"] * 4, "tag", "tag"]
    assert len({label["color"] for label in labels}) == 5
    root = ElementTree.parse(tmp_path / ANNOTATIONS).getroot()
    assert [label.findtext("name") for label in root.iter("label")] == [label["name"] for label in labels]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('rle="1, 2, 1, 4"', 'rle="1, 2, 1, 5"', "img-000, mask head: run lengths do not add up"),
        ('rle="1, 2, 1, 4"', 'rle="9, -1"', "do not add up"),
        ('rle="1, 2, 1, 4"', 'rle=""', "img-000, mask head"),
        ('rle="1, 2, 1, 4"', "", "img-000, mask head: no rle"),
        ('left="2"', 'left="5"', "reaches out of the image"),
        ('left="2"', 'left="-1"', "reaches out of the image"),
        ('left="2"', 'left="2.5"', "left 2.5 is no whole number"),
        ('z_order="1"', 'z_order="up"', "z_order up is no whole number"),
        ("5.00,0.00;8.00,0.00;8.00,2.00;5.00,2.00", "5.00,0.00;8.00,0.00", "a polygon of 4 numbers"),
        ("5.00,0.00;8.00", "nan,0.00;8.00", "points that are not x,y"),
        ('label="head"', 'label="haed"', "img-000, mask haed: no class is called haed"),
        (
            '<tag label="blurred" source="manual"></tag>',
            '<box label="head" xtl="1"/>',
            "img-000, box head: is no mask; draw it",
        ),
        ('width="8" height="6"', 'width="16" height="12"', "img-000: annotated at 12 x 16 pixels"),
        ('width="8" height="6"', 'width="8"', "image 0: no height"),
        ("<annotations>", "<annotations><track/>", "export the task of CVAT as `CVAT for images 1.1`"),
    ],
)
def test_exports_that_cannot_be_meant_are_refused(old, new, text, tmp_path):
    found = refused(tmp_path, old, new)
    assert text in found
    assert "annotations.xml" in found


def test_guesses_that_nobody_touched_are_left_out(tmp_path, capsys):
    cvat.write(tmp_path, items(), CLASSES)
    text = (tmp_path / ANNOTATIONS).read_text()
    assert text.count('source="auto"') == text.count("<mask")
    assert cvat.read(tmp_path / ANNOTATIONS, SIZE, CLASSES) == {}
    assert "annotations.xml: images left out, for nobody changed their guesses: 4" in capsys.readouterr().out
    start = text.index('name="img-001.png"')
    one = text[:start] + text[start:].replace('source="auto"', 'source="semi-auto"', 1)
    (tmp_path / ANNOTATIONS).write_text(one)
    assert_same(cvat.read(tmp_path / ANNOTATIONS, SIZE, CLASSES), {"img-001": random_mask(1)})
    assert "guesses: 3" in capsys.readouterr().out


def test_a_tag_says_that_a_guess_is_right(tmp_path, capsys):
    text = EXAMPLE.replace('source="manual"', 'source="auto"')
    assert read(tmp_path, text) == {}
    assert "guesses: 1" in capsys.readouterr().out
    checked = text.replace('<tag label="blurred"', '<tag label="checked"', 1)
    assert read(tmp_path, checked)["img-000"].tolist() == PIXELS
    assert "guesses" not in capsys.readouterr().out


def test_a_class_called_as_a_tag_is_a_class(tmp_path):
    cvat.write(tmp_path, [], ("background", "checked", "empty"))
    assert [one["type"] for one in json.loads((tmp_path / LABELS).read_text())] == ["any"] * 3
    mask = '<mask label="checked" source="auto" rle="0, 1" left="2" top="1" width="1" height="1"/>'
    path = tmp_path / "tagged.xml"
    path.write_text(
        f'<annotations><image name="a.png" width="8" height="6">{mask}<tag label="checked"/></image></annotations>'
    )
    assert cvat.read(path, (6, 8), ("background", "checked")) == {}


def test_an_image_tagged_as_empty_is_all_background(tmp_path, capsys):
    tagged = EXAMPLE.replace('6">\n    <tag label="blurred"', '6">\n    <tag label="empty"')
    found = read(tmp_path, tagged)
    assert list(found) == ["img-000", "img-002"]
    assert found["img-002"].shape == (6, 8)
    assert not found["img-002"].any()
    assert "images left out, for they have neither shapes nor a tag that says so: 1" in capsys.readouterr().out
    with pytest.raises(UserError, match="img-000: is tagged empty, but has shapes; remove the tag, or them"):
        read(tmp_path, EXAMPLE.replace('label="blurred"', 'label="empty"'))


def test_an_image_that_comes_twice_is_refused(tmp_path):
    first = EXAMPLE[EXAMPLE.index('  <image id="0"') : EXAMPLE.index('  <image id="1"')]
    assert "img-000: annotated twice" in refused(tmp_path, first, first + first.replace("first/", "other/"))


def test_other_xml_is_refused(tmp_path):
    with pytest.raises(UserError, match="no annotations of images"):
        read(tmp_path, "<annotation><object/></annotation>")
