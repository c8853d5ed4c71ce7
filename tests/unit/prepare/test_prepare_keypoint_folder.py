"""A folder whose images have keypoints: dataset.yaml with keypoints, keypoints.json beside images/."""

import json
from pathlib import Path

import numpy as np
import pytest
from folder_builders import refused, write_folder
from PIL import Image

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import read_set
from stages.common.spec import SPEC_PATH, read_spec
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.params import PrepareParams
from stages.prepare.report import labelled_picture
from stages.prepare.scan import scan
from stages.prepare.sources import open_source

POINTS = [
    {"image_id": 10, "id": 1, "category_id": 1, "keypoints": [0, 0, 2, 19, 11, 1, 0, 0, 0], "num_keypoints": 2},
    {"image_id": 11, "id": 2, "category_id": 1, "keypoints": [4.5, 3.25, 2, 19.4, 5, 2, 25, 5, 2]},
]
FLIP = [1, 0, 2]


def write_hands(root, points=POINTS, names=("l0.png", "l1.png"), flip=FLIP, **description):
    """Two labelled images with three keypoints each and one without labels; returns the params."""
    described = {"name": "hands", "keypoints": {"count": 3, "flip": flip}} | description
    write_folder(root, {"unlabeled": 1, "labeled/images": 2}, (12, 20), **described)
    images = [{"id": 10 + i, "file_name": name, "height": 12, "width": 20} for i, name in enumerate(names)]
    content = {"images": images, "annotations": points, "categories": [{"id": 1, "name": "hand"}]}
    (root / "labeled" / "keypoints.json").write_text(json.dumps(content))
    return PrepareParams(source="folder", path=root)


def changed(**change):
    return [POINTS[0], POINTS[1] | change]


def test_keypoints_alone_are_labels_enough(tmp_path):
    source = open_source(write_hands(tmp_path))
    assert source.spec.model_dump(exclude_defaults=True) == {
        "name": "hands",
        "size": (12, 20),
        "channels": 1,
        "keypoints": 3,
        "flip": (1, 0, 2),
    }
    assert [record.pool for record in source.records] == ["unlabeled", "labeled", "labeled"]
    assert source.records[0].read().keypoints is None
    assert len(scan(source, quarantine=False).records) == 3


def test_the_share_of_keypoints_on_the_image_is_that_of_the_known_ones(tmp_path):
    seen = scan(open_source(write_hands(tmp_path)), quarantine=False).table["keypoints_inside"]
    assert seen.tolist() == pytest.approx([np.nan, 1.0, 2 / 3], nan_ok=True)


def test_places_are_indices_of_pixels_and_points_outside_count_as_hidden(tmp_path):
    _, first, second = (record.read() for record in open_source(write_hands(tmp_path)).records)
    assert first.keypoints.dtype == np.float32
    assert first.keypoints.tolist() == [[0, 0, 2], [19, 11, 1], [0, 0, 0]]
    assert second.keypoints == pytest.approx(np.array([[4.5, 3.25, 2], [19.4, 5, 2], [25, 5, 1]]))


def test_resizing_keeps_the_corners_of_pixels_in_place(tmp_path):
    params = write_hands(tmp_path).model_copy(update={"resize": (24, 30)})
    points = open_source(params).records[1].read().keypoints
    # The middle of the first of 20 columns lies 0.5 from the border, so 0.75 of 30: the index 0.25.
    assert points.tolist() == [[0.25, 0.5, 2], [28.75, 22.5, 1], [0.25, 0.5, 0]]


def test_masks_and_keypoints_stand_side_by_side(tmp_path):
    params = write_hands(tmp_path, classes=["background", "hand"])
    for number in range(2):
        (tmp_path / "labeled/masks").mkdir(exist_ok=True)
        Image.fromarray(np.full((12, 20), number, np.uint8)).save(tmp_path / f"labeled/masks/l{number}.png")
    pixels = open_source(params).records[2].read()
    assert (pixels.mask == 1).all()
    assert pixels.keypoints.shape == (3, 3)


@pytest.mark.parametrize("learn", ["auto", "classes", "keypoints", "depth"])
def test_the_stage_writes_the_labels_that_are_to_be_learnt(tmp_path, monkeypatch, learn):
    params = write_hands(tmp_path / "hands", classes=["background", "hand"], depth={"unit_m": 0.5})
    for folder, values in (("masks", np.ones((12, 20), np.uint8)), ("depth", np.full((12, 20), 3, np.uint16))):
        (tmp_path / "hands/labeled" / folder).mkdir()
        for number in range(2):
            Image.fromarray(values).save(tmp_path / f"hands/labeled/{folder}/l{number}.png")
    monkeypatch.chdir(tmp_path)
    update = {"labeled": 1, "val": 0, "test": 1, "near_duplicate_rms": 0, "resize": (24, 40), "learn": learn}
    main(params.model_copy(update=update), SharedParams(), Tracker(None))
    spec, labeled = read_spec(tmp_path / SPEC_PATH), read_set(tmp_path / "data/prepare/labeled")
    if learn == "keypoints":
        assert (spec.keypoints, spec.flip, spec.classes, spec.depth) == (3, (1, 0, 2), (), False)
        expected = {"l0": [0.5, 0.5, 2], "l1": [9.5, 7, 2]}
        assert labeled.keypoints[0, 0].tolist() == expected[labeled.index["source_id"][0]]
        assert (labeled.masks, labeled.depth) == (None, None)
    elif learn == "depth":
        assert (spec.keypoints, spec.classes, spec.depth) == (0, (), True)
        assert labeled.depth.shape == (1, 24, 40)
        assert (labeled.depth == 1.5).all()
        assert (labeled.masks, labeled.keypoints) == (None, None)
    else:
        assert (spec.keypoints, spec.classes, spec.depth) == (0, ("background", "hand"), False)
        assert labeled.masks.shape == (1, 24, 40)
        assert (labeled.keypoints, labeled.depth) == (None, None)
    plain = read_set(tmp_path / "data/prepare/unlabeled")
    assert (plain.masks, plain.keypoints, plain.depth) == (None, None, None)


@pytest.mark.parametrize("place", [[3, 3, 0], [50, 3, 2]], ids=["unknown", "outside"])
def test_images_of_which_no_keypoint_is_known_are_refused_before_they_are_learnt(tmp_path, monkeypatch, place):
    points = [each | {"keypoints": place * 3} for each in POINTS]
    params = write_hands(tmp_path / "hands", points)
    monkeypatch.chdir(tmp_path)
    params = params.model_copy(update={"labeled": 1, "val": 0, "test": 1, "near_duplicate_rms": 0})
    with pytest.raises(UserError, match=r"l\d\.png and all other images of `labeled`: no keypoint is known and on its"):
        main(params, SharedParams(), Tracker(None))
    assert not Path("data/prepare").exists()


def test_the_picture_shows_the_keypoints(tmp_path):
    found = [record.read() for record in open_source(write_hands(tmp_path)).records[1:]]
    picture = labelled_picture(found, 0)
    assert (picture.max(axis=2) > picture.min(axis=2)).any()


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (POINTS[:1], "l1.png has no annotation; add its keypoints, with visibility 0 where nobody knows them"),
        ([*POINTS, POINTS[0]], "annotations.2: l0.png has another annotation, but keypoints are those of one object"),
        (changed(image_id=99), "annotations.1.image_id: 99 is listed nowhere in the file; add it to images"),
        (
            changed(keypoints=[1, 2, 2]),
            "annotations.1.keypoints: 3 numbers, but the 3 keypoints of dataset.yaml take 9, x, y and visibility each",
        ),
        (changed(keypoints=[1, 2, 3] * 3), "annotations.1.keypoints: a visibility of 3; write 0 for unknown"),
        (changed(keypoints=[1, "left", 2] * 3), "annotations.1.keypoints.1: input should be a valid number"),
        (changed(keypoints=[1, float("nan"), 2] * 3), "annotations.1.keypoints.1: input should be a finite number"),
    ],
)
def test_wrong_keypoints_are_refused_in_a_sentence(tmp_path, points, sentence):
    assert sentence in refused(write_hands(tmp_path, points))


def test_an_image_must_be_listed_in_its_own_size(tmp_path):
    lacking = write_hands(tmp_path / "a", POINTS[:1], names=("l0.png",))
    assert refused(lacking).endswith("images: l1.png is not listed; list it with its keypoints, or remove it")
    params, path = write_hands(tmp_path / "b"), tmp_path / "b/labeled/keypoints.json"
    path.write_text(path.read_text().replace('"width": 20', '"width": 40'))
    assert "images: l0.png has width 40, but the image has 20, so the keypoints were drawn for" in refused(params)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    params, path = write_hands(tmp_path), tmp_path / "labeled" / "keypoints.json"
    path.write_text("[]")
    assert refused(params) == (
        f"{path}: no mapping at the top; COCO's has the keys images and annotations, each with a list"
    )
    path.unlink()
    assert refused(params).startswith(f"{path}: no such file; dataset.yaml says that images have keypoints")


@pytest.mark.parametrize(
    ("flip", "sentence"),
    [
        ([1, 0], "keypoints.flip: 2 numbers for 3 points; give one for each, or leave flip out (found"),
        ([1, 2, 0], "keypoints.flip: point 0 trades places with 1, but 1 with 2 (found"),
        ([2, 1, 3], "keypoints.flip: point 0 trades places with 2, but 2 with 3 (found"),
        ([-1, 1, 2], "keypoints.flip: point -1 is none of the 3, which are 0 to 2 (found"),
    ],
)
def test_points_trade_places_in_pairs(tmp_path, flip, sentence):
    assert sentence in refused(write_hands(tmp_path, flip=flip))


def test_without_flip_nobody_knows_which_points_trade_places(tmp_path):
    assert open_source(write_hands(tmp_path, flip=[])).spec.flip == ()


def test_labelled_images_of_some_kind_are_needed(tmp_path):
    write_folder(tmp_path, {"unlabeled": 2}, (12, 20), name="hands", keypoints={"count": 3})
    with pytest.raises(UserError, match=r"test: no such folder; add test/images/ with the labels of each image"):
        open_source(PrepareParams(source="folder", path=tmp_path))
