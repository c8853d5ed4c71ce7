import json

import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.prepare.scan import scan
from stages.prepare.sources import open_source

KINDS = ["_background_", "wheel", "front_left_door", "tailgate", "trunk"]


def rectangle(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def runs(left, top, right, bottom, size=(16, 16)):
    shown = np.zeros(size, bool)
    shown[top:bottom, left:right] = True
    flat = shown.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": list(size), "counts": counts}


# The wheel comes before the door that it lies on; the last car shows no part.
PARTS = [
    (0, 1, rectangle(2, 10, 6, 14)),
    (0, 2, rectangle(0, 4, 10, 16)),
    (1, 3, runs(0, 0, 16, 4)),
    (1, 4, rectangle(0, 8, 16, 16)),
]


def write_cars(root, parts=PARTS, kinds=KINDS):
    for folder, prefix, count in (("trainingset", "train", 3), ("testset", "te", 2)):
        images = []
        for number in range(count):
            name = f"JPEGImages/{prefix}{number + 1}.jpg"
            save(root / folder / name, noise((16, 16), number + 10 * len(prefix)))
            images.append({"id": number, "file_name": name, "height": 16, "width": 16, "license": 0, "url": None})
        annotations = [
            {"id": number, "image_id": image, "category_id": kind, "segmentation": shape, "iscrowd": 0}
            for number, (image, kind, shape) in enumerate(parts)
        ]
        categories = [{"id": number, "name": name, "supercategory": None} for number, name in enumerate(kinds)]
        content = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        (root / folder / "annotations.json").write_text(json.dumps(content))
    return released("carparts", root)


def test_the_training_set_is_learned_from_and_the_test_set_tested_on(tmp_path):
    source = open_source(write_cars(tmp_path))
    assert (len(source.spec.classes), source.spec.channels) == (19, 3)
    assert [(one.pool, one.source_id) for one in source.records] == [
        *(("labeled", f"trainingset-train{number}") for number in (1, 2, 3)),
        *(("test", f"testset-te{number}") for number in (1, 2)),
    ]
    assert len(scan(source, quarantine=False).records) == 5


def test_of_parts_that_overlap_the_smaller_one_is_on_top(tmp_path):
    source = open_source(write_cars(tmp_path))
    mask = source.records[0].read().mask
    door, wheel = (source.spec.classes.index(name) for name in ("front_left_door", "wheel"))
    expected = np.zeros((16, 16), int)
    expected[4:16, 0:10] = door
    expected[10:14, 2:6] = wheel
    np.testing.assert_array_equal(mask, expected)


def test_polygons_and_run_lengths_are_read_and_the_articles_merge_parts(tmp_path):
    source = open_source(write_cars(tmp_path).model_copy(update={"classes": "articles"}))
    assert source.spec.classes[8:] == ("trunk", "wheel")
    rows = source.records[1].read().mask[:, 5].tolist()
    assert rows == [8] * 4 + [0] * 4 + [8] * 8
    assert (source.records[2].read().mask == 0).all()


def test_image_and_mask_get_the_size_asked_for(tmp_path):
    pixels = open_source(write_cars(tmp_path).model_copy(update={"resize": (8, 8)})).records[0].read()
    assert pixels.image.shape[:2] == pixels.mask.shape == (8, 8)
    assert pixels.mask[6].tolist() == [9, 18, 18, 9, 9, 0, 0, 0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ((9, 1, rectangle(0, 0, 4, 4)), "annotation 0: of image 9 and category 1, wheel, which the data set does not"),
        ((0, 9, rectangle(0, 0, 4, 4)), "annotation 0: of image 0 and category 9, no name, which the data set does"),
        ((0, 0, rectangle(0, 0, 4, 4)), "annotation 0: of image 0 and category 0, _background_, which the data set"),
        ((0, 1, [[1, 2]]), "annotation 0: a polygon of 2 numbers; put the data set's own file there"),
        ((0, 1, runs(0, 0, 4, 4, (8, 8))), "annotation 0: run lengths for [8, 8], but the image is [16, 16]"),
    ],
)
def test_a_wrong_part_is_one_sentence(tmp_path, change, sentence):
    assert f"{tmp_path}/trainingset/annotations.json: {sentence}" in refused(write_cars(tmp_path, [change]))


def test_missing_files_are_one_sentence(tmp_path):
    params = write_cars(tmp_path)
    (tmp_path / "testset/JPEGImages/te2.jpg").unlink()
    found = scan(open_source(params), quarantine=True)
    assert [file for file, _ in found.bad] == [f"{tmp_path}/testset/JPEGImages/te2.jpg"]
    (tmp_path / "testset/annotations.json").unlink()
    assert refused(params) == (
        f"{tmp_path}/testset/annotations.json: no such file; put the annotations of Car-Parts-Segmentation there"
    )


def test_a_car_of_another_size_than_its_parts_were_drawn_for_is_refused(tmp_path):
    params = write_cars(tmp_path, PARTS[:2])
    save(tmp_path / "trainingset/JPEGImages/train1.jpg", noise((16, 32), 5))
    assert refused(params) == (
        f"{tmp_path}/trainingset/annotations.json: images: train1.jpg has width 16, but the image has 32, so the parts "
        "were drawn for another size; scale both, or put the image there that they were drawn in"
    )
