import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.prepare.scan import scan
from stages.prepare.sources import open_source
from stages.prepare.sources.w300 import FLIP

# The outer corners of the eyes and of the mouth, the tips of nose and chin, of the person's right and left.
RIGHT, LEFT, ALONE = (36, 48, 0, 17, 31), (45, 54, 16, 26, 35), (8, 27, 30, 33, 51, 57, 62, 66)


def write_points(path, points):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n")


def points_within(left, top, right, bottom):
    """68 points, the first two in opposite corners."""
    points = np.random.default_rng(0).uniform([left, top], [right, bottom], (68, 2))
    points[:2] = [left, top], [right, bottom]
    return points


def write_face(root, name, suffix=".jpg", points=None, size=(60, 80)):
    save(root / f"{name}{suffix}", noise(size, len(name)))
    write_points(root / f"{name}.pts", points_within(21, 11, 61, 51) if points is None else points)


def write_sets(root):
    for name in ("afw/134212_1", "afw/134212_2", "helen/trainset/100032540_1", "lfpw/trainset/image_0001"):
        write_face(root, name)
    for name in ("helen/testset/image_0001", "ibug/image_003_1", "ibug/image_092 _01", "01_Indoor/indoor_001"):
        write_face(root, name, ".png")
    return released("w300", root, resize=[30, 30])


def test_the_full_and_the_private_test_set_are_tested_on(tmp_path):
    source = open_source(write_sets(tmp_path))
    spec = source.spec
    assert (spec.classes, spec.keypoints, spec.channels, spec.size) == ((), 68, 3, (30, 30))
    assert [(one.pool, one.source_id) for one in source.records] == [
        ("test", "01_Indoor-indoor_001"),
        ("labeled", "afw-134212_1"),
        ("labeled", "afw-134212_2"),
        ("test", "helen-testset-image_0001"),
        ("labeled", "helen-trainset-100032540_1"),
        ("test", "ibug-image_003_1"),
        ("test", "ibug-image_092 _01"),
        ("labeled", "lfpw-trainset-image_0001"),
    ]
    assert len(scan(source, quarantine=False).records) == 8


def test_faces_of_one_photograph_are_a_group(tmp_path):
    groups = [one.group for one in open_source(write_sets(tmp_path)).records]
    assert groups == [
        "01_Indoor-indoor_001",
        "afw-134212",
        "afw-134212",
        "helen-testset-image_0001",
        "helen-trainset-100032540",
        "ibug-image_003",
        "ibug-image_092",
        "lfpw-trainset-image_0001",
    ]
    by_set = write_sets(tmp_path).model_copy(update={"group_pattern": "^([a-z0-9_A-Z]+)-"})
    assert [one.group for one in open_source(by_set).records][:3] == ["01_Indoor", "afw", "afw"]


def test_sets_that_only_serve_to_test_are_split_when_there_are_no_others(tmp_path):
    for number in range(3):
        write_face(tmp_path, f"01_Indoor/indoor_00{number}", ".png")
    assert {one.pool for one in open_source(released("w300", tmp_path)).records} == {"labeled"}


def test_the_crop_is_a_square_around_the_points_with_a_margin(tmp_path):
    write_face(tmp_path, "afw/1", ".png")
    image = noise((60, 80), len("afw/1"))
    params = released("w300", tmp_path, resize=[60, 60])
    pixels = open_source(params).records[0].read()
    # Counted from 0 the points reach from 20, 10 to 60, 50: 40 pixels and 10 on each side are 60, from 10, 0 on.
    np.testing.assert_array_equal(pixels.image, image[0:60, 10:70])
    assert pixels.keypoints.dtype == np.float32
    assert pixels.keypoints[0].tolist() == [10, 10, 2]
    assert pixels.keypoints[1].tolist() == [50, 50, 2]
    half = open_source(params.model_copy(update={"resize": (30, 30)})).records[0].read()
    assert half.keypoints[0].tolist() == [4.75, 4.75, 2]


def test_a_frame_that_is_no_square_holds_the_square(tmp_path):
    write_face(tmp_path, "afw/1", ".png")
    pixels = open_source(released("w300", tmp_path, resize=[60, 80])).records[0].read()
    np.testing.assert_array_equal(pixels.image, noise((60, 80), len("afw/1")))
    assert pixels.keypoints[0].tolist() == [20, 10, 2]


def test_what_lies_outside_of_the_image_is_black(tmp_path):
    write_face(tmp_path, "afw/1", ".png", points_within(1, 11, 41, 51))
    pixels = open_source(released("w300", tmp_path, resize=[60, 60])).records[0].read()
    assert (pixels.image[:, :10] == 0).all()
    assert pixels.image[:, 10].any()
    assert (pixels.keypoints[:, 2] == 2).all()


def test_points_trade_places_in_pairs():
    assert sorted(FLIP) == list(range(68))
    assert all(FLIP[FLIP[point]] == point for point in range(68))
    for right, left in zip(RIGHT, LEFT, strict=True):
        assert FLIP[right] == left
    assert all(FLIP[point] == point for point in ALONE)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "0 numbers between braces, not x and y of 68 points; put 300-W's own file there"),
        ("{\n" + "1 2\n" * 67 + "}", "134 numbers between braces, not x and y of 68 points"),
        ("{\n" + "1 nan\n" * 68 + "}", "136 numbers between braces, not x and y of 68 points"),
        ("{\n" + "1 x\n" * 68 + "}", "no points (could not convert string to float"),
        ("{\n" + "1 2\n" * 68 + "}", "all of its points are in one place"),
    ],
)
def test_a_damaged_file_of_points_is_one_sentence(tmp_path, text, sentence):
    write_face(tmp_path, "afw/1")
    (tmp_path / "afw/1.pts").write_text(text)
    assert f"1.pts: {sentence}" in refused(released("w300", tmp_path))


def test_missing_files_are_one_sentence(tmp_path):
    params = released("w300", tmp_path)
    assert refused(params) == f"{tmp_path}: no .pts file in it or below; unpack the sets of 300-W there"
    assert refused(params.model_copy(update={"resize": None})).startswith("prepare.resize: not set; source w300 needs")
    write_points(tmp_path / "afw/1.pts", points_within(1, 1, 9, 9))
    assert refused(params) == f"{tmp_path}/afw/1.pts: no 1.png or .jpg beside it; put it there or remove the file"
