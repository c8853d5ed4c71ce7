import json
import math

import numpy as np
import pytest
from PIL import Image

from stages.common.errors import UserError
from stages.common.gaze import vectors_of
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.records import BadFileError, Source
from stages.prepare.simulators import simulated_source
from stages.prepare.simulators.eyes import CLASSES, IRIS, SCLERA, SKIN
from stages.prepare.sources.unityeyes import EYE_SHARE, KEYPOINTS, unityeyes_records

HEIGHT, WIDTH = 480, 640
BALL = 60.0


def texts(points) -> list[str]:
    return [f"({x:.4f}, {y:.4f}, 9.6326)" for x, y in points]


def content_of(direction, middle, half_width=66.0, opening=24.0):
    """What UnityEyes would write of an eye that looks along (x right, y up, z away); middle: x, y from below."""
    x, y = np.array(middle)
    angles = math.pi - np.arange(16) * math.pi / 8  # the inner corner on the left, then over the upper lid
    lids = np.stack([x + half_width * np.cos(angles), y + opening * np.sin(angles)], axis=1)
    around = np.arange(32) * math.pi / 16
    iris = np.array([x, y]) + BALL * np.array(direction[:2]) + 20 * np.stack([np.cos(around), np.sin(around)], axis=1)
    caruncle = np.stack([np.full(7, x - half_width - 4), np.linspace(y - 3, y + 3, 7)], axis=1)
    return {
        "interior_margin_2d": texts(lids),
        "caruncle_2d": texts(caruncle),
        "iris_2d": texts(iris),
        "eye_details": {
            "look_vec": "({:.4f}, {:.4f}, {:.4f}, 0.0000)".format(*direction),
            "pupil_size": "-0.0123",
            "iris_size": "0.9058",
        },
        "head_pose": "(351.3450, 186.1230, 0.0000)",
    }


def write_eye(folder, number=1, direction=(0.0, 0.0, -1.0), middle=(330.0, 250.0), suffix=".jpg", **geometry):
    """A light frame with a dark disc where the iris is, and its .json."""
    content = content_of(direction, middle, **geometry)
    x, y = np.array(middle) + BALL * np.array(direction[:2])
    # A pixel's middle is half a pixel from its edge, where Unity counts from.
    columns, rows = np.arange(WIDTH) + 0.5, HEIGHT - (np.arange(HEIGHT) + 0.5)
    frame = np.full((HEIGHT, WIDTH, 3), (210, 180, 170), np.uint8)
    frame[np.hypot(columns[None] - x, rows[:, None] - y) < 20] = 20
    folder.mkdir(exist_ok=True, parents=True)
    Image.fromarray(frame).save(folder / f"{number}{suffix}", **({"quality": 95} if suffix == ".jpg" else {}))
    (folder / f"{number}.json").write_text(json.dumps(content))
    return content


def looking(pitch: float, yaw: float) -> tuple[float, float, float]:
    """Unity's direction of a gaze: MPIIGaze's with y turned upwards."""
    x, y, z = vectors_of(np.array([pitch, yaw]))
    return float(x), float(-y), float(z)


def read(folder, size=(36, 60), channels=1):
    return unityeyes_records(folder, size, channels, None)[0].read()


def refused(folder) -> str:
    with pytest.raises(UserError) as error:
        [record.read() for record in unityeyes_records(folder, (36, 60), 1, None)]
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("size", "channels"), [((36, 60), 1), ((35, 55), 3), ((72, 120), 1)])
def test_an_eye_comes_in_size_and_colours_of_the_data_set(tmp_path, size, channels):
    write_eye(tmp_path)
    pixels = read(tmp_path, size, channels)
    assert pixels.image.shape == (*size, channels)
    assert pixels.image.dtype == np.uint8
    assert pixels.keypoints.shape == (KEYPOINTS, 3)
    assert pixels.keypoints.dtype == pixels.gaze.dtype == np.float32
    assert pixels.mask.shape == size
    assert pixels.depth is None


def test_the_mask_shows_the_iris_between_the_lids(tmp_path):
    write_eye(tmp_path, suffix=".png")
    pixels = read(tmp_path, (108, 180))
    dark = pixels.image[:, :, 0] < 100
    assert set(np.unique(pixels.mask)) == {SKIN, SCLERA, IRIS}
    assert (dark & (pixels.mask == IRIS)).sum() / (dark | (pixels.mask == IRIS)).sum() > 0.9
    assert pixels.mask[0, 0] == SKIN
    x, y = pixels.keypoints[1 + 4, :2]
    assert pixels.mask[round(y) + 2, round(x)] > SKIN
    assert pixels.mask[round(y) - 2, round(x)] == SKIN


def test_an_iris_left_of_the_middle_has_positive_yaw_and_a_raised_one_positive_pitch(tmp_path):
    for number, (pitch, yaw) in enumerate([(0.0, 0.3), (0.0, -0.3), (0.25, 0.0), (-0.25, 0.0)]):
        write_eye(tmp_path / str(number), direction=looking(pitch, yaw))
        pixels = read(tmp_path / str(number), (72, 120))
        rows, columns = np.nonzero(pixels.image[:, :, 0] < 90)
        middle = pixels.keypoints[1:, :2].mean(0)
        right, down = columns.mean() - middle[0], rows.mean() - middle[1]
        if yaw:
            assert np.sign(pixels.gaze[1]) == -np.sign(right)
            assert abs(right) > 8
        else:
            assert np.sign(pixels.gaze[0]) == -np.sign(down)
            assert abs(down) > 6
        assert pixels.gaze.tolist() == pytest.approx([pitch, yaw], abs=1e-3)


def test_the_first_keypoint_is_the_middle_of_the_iris_in_the_picture(tmp_path):
    for number, gaze in enumerate([(0.0, 0.0), (0.1, 0.35), (-0.1, -0.35)]):
        for suffix in (".png", ".jpg"):
            folder = tmp_path / f"{number}{suffix}"
            write_eye(folder, direction=looking(*gaze), suffix=suffix)
            pixels = read(folder, (108, 180))
            weight = 255.0 - pixels.image[:, :, 0]
            weight[weight < 100] = 0
            rows, columns = np.indices(weight.shape)
            x, y = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
            assert pixels.keypoints[0].tolist() == pytest.approx([x, y, 2], abs=0.25)


def test_the_eye_is_as_wide_as_in_photographs_and_in_the_middle(tmp_path):
    write_eye(tmp_path, middle=(250.0, 200.0))
    points = read(tmp_path, (36, 60)).keypoints[1:, :2]
    inner, outer = points[0], points[8]
    assert inner[0] < outer[0]
    # The caruncle of this eye adds 4 pixels to 132.
    assert (outer[0] - inner[0]) / 60 == pytest.approx(EYE_SHARE * 132 / 136, abs=0.01)
    assert (inner + outer) / 2 == pytest.approx([29.5 + 0.5 * 4 * EYE_SHARE * 60 / 136, 17.5], abs=0.4)
    assert points[4, 1] < points[12, 1] - 5


def test_an_iris_outside_of_the_lids_counts_as_hidden(tmp_path):
    write_eye(tmp_path, direction=looking(0.5, 0.0), opening=10.0)
    keypoints = read(tmp_path).keypoints
    assert keypoints[0, 2] == 1
    assert (keypoints[1:, 2] == 2).all()


def test_records_come_by_number_up_to_the_limit(tmp_path):
    for number in (10, 2, 1, 33):
        write_eye(tmp_path, number)
    records = unityeyes_records(tmp_path, (36, 60), 1, 3)
    assert [record.source_id for record in records] == ["unityeyes-1", "unityeyes-2", "unityeyes-10"]
    assert {record.pool for record in records} == {"simulated"}
    assert len({record.group for record in records}) == 3
    assert len(unityeyes_records(tmp_path, (36, 60), 1, None)) == 4


def test_the_simulator_unityeyes_reads_the_folder_of_the_parameters(tmp_path):
    for number in range(1, 4):
        write_eye(tmp_path, number, suffix=".png")
    spec = DatasetSpec(name="eyes", size=(36, 60), channels=1, gaze=True)
    params = PrepareParams(source="folder", simulator="unityeyes", simulator_path=tmp_path, simulated=2)
    source = simulated_source(params, Source(spec, []), seed=0)
    records = source.records
    assert source.spec.classes == CLASSES
    assert [record.read().image.shape for record in records] == [(36, 60, 1)] * 2
    with pytest.raises(UserError, match=r"^prepare\.simulator_path: not set; simulator unityeyes needs the folder"):
        simulated_source(params.model_copy(update={"simulator_path": None}), Source(spec, []), seed=0)


def test_an_image_without_json_and_a_folder_without_images(tmp_path):
    assert refused(tmp_path / "no").startswith(f"{tmp_path}/no: no such folder")
    assert refused(tmp_path).startswith(f"{tmp_path}: no .png or .jpg images")
    write_eye(tmp_path)
    (tmp_path / "1.json").unlink()
    assert refused(tmp_path) == (
        f"{tmp_path}/1.jpg: no 1.json beside it; add the one that UnityEyes wrote with the image"
    )


def test_a_damaged_json(tmp_path):
    write_eye(tmp_path)
    label = tmp_path / "1.json"
    whole = label.read_bytes()
    for data in (b"", whole[:100], whole[:-1], b"\xff\xfe\x00"):
        label.write_bytes(data)
        assert refused(tmp_path).startswith(f"{label}: not a whole JSON file (")
    label.write_text("[1, 2]")
    assert refused(tmp_path).startswith(f"{label}: no `key: value` pairs at the top")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"interior_margin_2d": None}, "no list interior_margin_2d; put the file that UnityEyes wrote there"),
        ({"caruncle_2d": []}, "no list caruncle_2d;"),
        ({"iris_2d": "(1, 2, 3)"}, "no list iris_2d;"),
        ({"iris_2d": ["(1, 2)"]}, "iris_2d holds '(1, 2)', not 3 numbers in brackets; render the image again"),
        ({"iris_2d": ["(1, two, 3)"]}, "iris_2d holds '(1, two, 3)', not 3 numbers"),
        ({"iris_2d": ["(1, nan, 3)"]}, "iris_2d holds '(1, nan, 3)', not 3 numbers"),
        ({"iris_2d": [7]}, "iris_2d holds 7, not 3 numbers"),
        (
            {"interior_margin_2d": ["(9, 9, 3)"] * 16, "caruncle_2d": ["(9, 9, 3)"]},
            "interior_margin_2d and caruncle_2d lie in one place; render the image again",
        ),
        ({"interior_margin_2d": ["(1, 2, 3)"] * 9}, "interior_margin_2d has 9 points, not 16;"),
        ({"eye_details": None}, "no eye_details.look_vec; put the file that UnityEyes wrote there"),
        ({"eye_details": {}}, "no eye_details.look_vec;"),
        ({"eye_details": {"look_vec": "(1, 2)"}}, "eye_details.look_vec holds '(1, 2)', not 4 numbers"),
        ({"eye_details": {"look_vec": "(0, 0, 0, 0)"}}, "eye_details.look_vec is no direction; render the image again"),
    ],
)
def test_labels_that_are_not_there_or_wrong(tmp_path, changes, sentence):
    content = write_eye(tmp_path) | changes
    (tmp_path / "1.json").write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    assert refused(tmp_path).startswith(f"{tmp_path}/1.json: {sentence}")


def test_an_eye_too_near_to_the_border_may_be_left_out(tmp_path):
    write_eye(tmp_path, middle=(60.0, 250.0))
    with pytest.raises(BadFileError, match=r"1\.jpg: the crop around the eye, 216 x 130 pixels, reaches over the bor"):
        read(tmp_path)


def test_a_cut_off_image_may_be_left_out(tmp_path):
    write_eye(tmp_path)
    image = tmp_path / "1.jpg"
    image.write_bytes(image.read_bytes()[:300])
    with pytest.raises(BadFileError, match=r"1\.jpg: not a readable image"):
        read(tmp_path)
