"""A folder whose images have boxes: dataset.yaml with labels: boxes, annotations.json beside images/."""

import json

import numpy as np
import pytest
from folder_builders import refused, write_folder

from stages.common.pictures import palette
from stages.prepare.params import PrepareParams
from stages.prepare.report import labelled_picture
from stages.prepare.scan import scan
from stages.prepare.sources import open_source

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
BOXES = [
    {"image_id": 10, "category_id": 3, "bbox": [2, 3, 4, 5], "area": 20, "iscrowd": 0},
    {"image_id": 10, "category_id": 7, "bbox": [0.5, 0, 10, 2.5]},
    {"image_id": 11, "category_id": 7, "bbox": [8, 8, 4, 4]},
]


def write_pets(root, boxes=BOXES, names=("l0.png", "l1.png", "l2.png"), **description):
    """Three labelled images, the last one without a box, and two without labels; returns the params."""
    described = {"name": "pets", "classes": ["nothing", "dog", "cat"], "labels": "boxes"} | description
    write_folder(root, {"unlabeled": 2, "labeled/images": 3}, (12, 20), **described)
    images = [{"id": 10 + i, "file_name": f"images/{name}", "height": 12, "width": 20} for i, name in enumerate(names)]
    content = {"info": {}, "images": images, "annotations": boxes, "categories": CATEGORIES}
    (root / "labeled" / "annotations.json").write_text(json.dumps(content))
    return PrepareParams(source="folder", path=root)


def changed(**change):
    return [*BOXES[:2], BOXES[2] | change]


def test_boxes_become_corners_with_the_class_ids_of_dataset_yaml(tmp_path):
    source = open_source(write_pets(tmp_path))
    assert (source.spec.labels, source.spec.classes) == ("boxes", ("nothing", "dog", "cat"))
    pixels = [record.read() for record in source.records]
    assert [p.boxes is None for p in pixels] == [True, True, False, False, False]
    assert pixels[2].boxes.tolist() == [[2, 3, 6, 8, 1], [0.5, 0, 10.5, 2.5, 2]]
    assert pixels[3].boxes.tolist() == [[8, 8, 12, 12, 2]]
    assert pixels[4].boxes.shape == (0, 5)
    assert pixels[2].boxes.dtype == np.float32
    assert all(p.mask is None for p in pixels)


def test_images_are_stratified_by_the_classes_of_their_boxes(tmp_path):
    shows = scan(open_source(write_pets(tmp_path)), quarantine=False).shows
    assert shows[2:].tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_boxes_are_resized_with_their_image(tmp_path):
    params = write_pets(tmp_path).model_copy(update={"resize": (24, 30)})
    boxes = open_source(params).records[2].read().boxes
    assert boxes[0].tolist() == [3, 6, 9, 16, 1]


def test_a_box_that_reaches_out_by_a_rounding_error_is_clipped(tmp_path):
    params = write_pets(tmp_path, changed(bbox=[-0.4, 8, 20.9, 4.5]))
    assert open_source(params).records[3].read().boxes[0].tolist() == [0, 8, 20, 12, 2]


def test_boxes_around_crowds_are_ignored(tmp_path):
    found = open_source(write_pets(tmp_path, changed(iscrowd=1))).records[3].read()
    assert (len(found.boxes), len(found.ignored)) == (0, 1)


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        (changed(bbox=[8, 8, 0, 4]), "annotations.2.bbox: 0 x 4 pixels is no area; remove it"),
        (
            changed(bbox=[18, 8, 8, 4]),
            "l1.png: the box from 18, 8 to 26, 12 reaches out of the image of 20 x 12 pixels",
        ),
        (changed(bbox=[8, 8, 4]), "annotations.2.bbox: needs four numbers: left, top, width, height (found [8, 8, 4])"),
        (changed(bbox=[8, 8, "x", 4]), "annotations.2.bbox: needs four numbers: left, top, width, height"),
        (changed(bbox=[8, 8, 4, 4, 4]), "annotations.2.bbox: needs four numbers: left, top, width, height"),
        (
            changed(image_id=99),
            "annotations.2.image_id: 99 is listed nowhere in the file; add it to images, or correct or remove the box",
        ),
        (changed(category_id=99), "annotations.2.category_id: 99 is listed nowhere in the file; add it to categories"),
    ],
)
def test_a_wrong_box_is_refused_in_a_sentence(tmp_path, boxes, sentence):
    assert sentence in refused(write_pets(tmp_path, boxes))


def test_an_unknown_class_is_refused(tmp_path):
    params = write_pets(tmp_path, classes=["nothing", "dog", "bird"])
    assert "categories: cat is no class of dataset.yaml; known there: dog, bird" in refused(params)


def test_an_image_must_be_listed_once(tmp_path):
    assert refused(write_pets(tmp_path / "a", names=("l0.png", "l1.png"))).endswith(
        "images: l2.png is not listed; list it, also without a box, or remove it"
    )
    bare = write_pets(tmp_path / "c", names=("l0", "l1", "l2"))
    assert refused(bare).endswith("images: l0 has no suffix; give whole names, such as l0.png")
    twice = write_pets(tmp_path / "b", names=("l0.png", "l1.png", "l1.png"))
    assert "images: l1.png or its id 12 is listed twice" in refused(twice)


@pytest.mark.parametrize(("key", "value", "real"), [("width", 40, 20), ("height", 24, 12)])
def test_boxes_that_were_drawn_for_another_size_are_refused(tmp_path, key, value, real):
    params, path = write_pets(tmp_path), tmp_path / "labeled" / "annotations.json"
    content = json.loads(path.read_text())
    content["images"][1] |= {key: value}
    path.write_text(json.dumps(content))
    assert f"images: l1.png has {key} {value}, but the image has {real}, so the boxes were drawn" in refused(params)
    for unknown in (None, 0):
        content["images"][1] |= {key: unknown}
        path.write_text(json.dumps(content))
        assert len(scan(open_source(params), quarantine=False).records) == 5


def test_names_without_an_image_are_counted_in_a_note(tmp_path, capsys):
    params = write_pets(tmp_path, names=("l0.png", "l1.png", "l2.png", "gone.png"))
    open_source(params)
    assert f"annotations.json: 1 of 4 names have no image in {tmp_path / 'labeled/images'}, gone.png first" in (
        capsys.readouterr().out
    )


def test_a_missing_or_broken_file_is_refused(tmp_path):
    params, path = write_pets(tmp_path), tmp_path / "labeled" / "annotations.json"
    path.write_text("{")
    assert refused(params).startswith(f"{path}: not valid JSON (")
    path.write_text("[]")
    assert refused(params) == (
        f"{path}: no mapping at the top; COCO's has the keys images, annotations and categories, each with a list"
    )
    path.unlink()
    assert refused(params).startswith(f"{path}: no such file; dataset.yaml says labels: boxes")


def test_boxes_need_classes(tmp_path):
    assert "classes: 1 named; name the background first" in refused(write_pets(tmp_path, classes=["nothing"]))


def test_the_picture_shows_the_boxes(tmp_path):
    found = [record.read() for record in open_source(write_pets(tmp_path)).records[2:]]
    picture = labelled_picture(found, 3).reshape(-1, 3)
    assert {tuple(colour) for colour in palette(3)[1:].tolist()} <= {tuple(colour) for colour in picture.tolist()}
