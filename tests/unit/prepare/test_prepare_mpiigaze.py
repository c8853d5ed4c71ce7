import math

import numpy as np
import pytest
from scipy.io import savemat

from stages.common.errors import UserError
from stages.common.gaze import vectors_of
from stages.prepare.params import PrepareParams
from stages.prepare.sources import open_source

ANGLES = [(0.0, 0.0), (0.2, 0.0), (0.0, 0.3), (-0.25, -0.4)]


def side_of(seed: int, angles=ANGLES) -> dict[str, np.ndarray]:
    images = np.random.default_rng(seed).integers(0, 256, (len(angles), 36, 60)).astype(np.uint8)
    gaze = vectors_of(np.array(angles))
    return {"image": images, "gaze": gaze, "pose": np.zeros((len(angles), 3))}


def write_day(root, person="p00", day="day01", **sides):
    """One file as MPIIGaze has it; returns its path."""
    path = root / "Data" / "Normalized" / person / f"{day}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"data": {"left": side_of(1), "right": side_of(2)} | sides, "filenames": np.array(["0001.jpg"])})
    return path


def params_of(root, **values) -> PrepareParams:
    return PrepareParams(source="mpiigaze", path=root, **values)


def refused(root) -> str:
    with pytest.raises(UserError) as error:
        open_source(params_of(root))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_folder_of_mpiigaze_becomes_labelled_eyes_grouped_by_person(tmp_path):
    for person, day in (("p01", "day02"), ("p00", "day01"), ("p00", "day02")):
        write_day(tmp_path, person, day)
    source = open_source(params_of(tmp_path))
    spec = source.spec
    assert (spec.name, spec.size, spec.channels, spec.classes, spec.gaze) == ("mpiigaze", (36, 60), 1, (), True)
    assert len(source.records) == 3 * 2 * 4
    assert {record.pool for record in source.records} == {"labeled"}
    assert [record.group for record in source.records] == ["p00"] * 16 + ["p01"] * 8
    assert source.records[0].source_id == "p00-day01-left-0000"
    assert source.records[-1].source_id == "p01-day02-right-0003"
    assert len({record.source_id for record in source.records}) == 24
    assert source.simulated == []


def test_a_left_eye_is_read_as_it_is(tmp_path):
    write_day(tmp_path)
    for number, (record, angles) in enumerate(zip(open_source(params_of(tmp_path)).records[:4], ANGLES, strict=True)):
        pixels = record.read()
        np.testing.assert_array_equal(pixels.image[:, :, 0], side_of(1)["image"][number])
        assert pixels.gaze is not None
        assert pixels.gaze.dtype == np.float32
        assert pixels.gaze.tolist() == pytest.approx(angles, abs=1e-6)
        assert (pixels.mask, pixels.keypoints, pixels.depth) == (None, None, None)


def test_a_right_eye_is_mirrored_with_its_gaze(tmp_path):
    write_day(tmp_path)
    for number, record in enumerate(open_source(params_of(tmp_path)).records[4:]):
        pixels = record.read()
        np.testing.assert_array_equal(pixels.image[:, :, 0], side_of(2)["image"][number][:, ::-1])
        vector = side_of(2)["gaze"][number] * [-1, 1, 1]
        assert pixels.gaze is not None
        assert vectors_of(pixels.gaze.astype(float)).tolist() == pytest.approx(vector.tolist(), abs=1e-6)


def test_up_and_left_in_the_image_are_positive(tmp_path):
    vectors = np.array([[0, -0.5, -math.sqrt(0.75)], [-0.5, 0, -math.sqrt(0.75)]])
    write_day(tmp_path, left=side_of(1, ANGLES[:2]) | {"gaze": vectors})
    up, left = (record.read().gaze for record in open_source(params_of(tmp_path)).records[:2])
    assert up.tolist() == pytest.approx([math.pi / 6, 0], abs=1e-6)
    assert left.tolist() == pytest.approx([0, math.pi / 6], abs=1e-6)


def test_a_gaze_vector_of_another_length_means_the_same(tmp_path):
    write_day(tmp_path, left=side_of(1) | {"gaze": 7 * side_of(1)["gaze"]})
    record = open_source(params_of(tmp_path)).records[3]
    assert record.read().gaze.tolist() == pytest.approx(ANGLES[3], abs=1e-6)


def test_a_day_with_a_single_image_and_sides_of_different_lengths(tmp_path):
    write_day(tmp_path, left=side_of(1, ANGLES[:1]), right=side_of(2))
    records = open_source(params_of(tmp_path)).records
    assert len(records) == 5
    assert records[0].read().image.shape == (36, 60, 1)


def test_reading_in_any_order_unpacks_a_file_once(tmp_path, monkeypatch):
    from stages.prepare.sources import mpiigaze

    for day in ("day01", "day02", "day03"):
        write_day(tmp_path, "p00", day)
    records = open_source(params_of(tmp_path)).records
    opened = []
    read_mat = mpiigaze.read_mat
    monkeypatch.setattr(mpiigaze, "read_mat", lambda path, name: (opened.append(path.stem), read_mat(path, name))[1])
    for row in np.random.default_rng(0).permutation(len(records)):
        records[row].read()
    assert sorted(opened) == ["day01", "day02", "day03"]


def test_pattern_and_size_of_the_parameters_hold(tmp_path):
    write_day(tmp_path)
    source = open_source(params_of(tmp_path, group_pattern="-(left|right)-", resize=(35, 55)))
    assert {record.group for record in source.records} == {"left", "right"}
    pixels = source.records[1].read()
    assert pixels.image.shape == (35, 55, 1)
    assert pixels.gaze is not None


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match=r"^prepare\.path: not set; source mpiigaze needs MPIIGaze"):
        open_source(PrepareParams(source="mpiigaze"))
    assert refused(tmp_path / "no").startswith(f"prepare.path: {tmp_path}/no is no folder")
    assert refused(tmp_path).startswith(f"{tmp_path}: no Data/Normalized/p00/day01.mat or the like")


def test_a_file_cut_off_anywhere_is_refused_in_one_sentence(tmp_path):
    path = write_day(tmp_path)
    data = path.read_bytes()
    for length in [0, 1, 60, 127, 128, 130, *range(136, len(data) - 1, len(data) // 40)]:
        path.write_bytes(data[:length])
        assert refused(tmp_path).startswith(f"{path}: ")


def test_a_file_of_noise_or_of_version_7_3(tmp_path):
    path = write_day(tmp_path)
    data = path.read_bytes()
    for seed in range(30):
        path.write_bytes(data[:128] + np.random.default_rng(seed).bytes(2000))
        assert refused(tmp_path).startswith(f"{path}: ")
    path.write_text("no MATLAB file at all, but text " * 9)
    assert refused(tmp_path).startswith(f"{path}: ")
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    assert refused(tmp_path) == f"{path}: a MATLAB file of version 7.3; save it again with -v7"


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        ({"gaze": np.zeros((4, 3))}, "data.left.gaze of image 0 is no direction; put MPIIGaze's own file there"),
        ({"gaze": np.full((4, 3), np.nan)}, "data.left.gaze of image 0 is no direction; put MPIIGaze's own file there"),
        ({"gaze": np.ones((3, 3))}, "data.left.gaze is (3, 3), not (4, 3) as its images ask for"),
        ({"image": np.zeros((4, 60, 36), np.uint8)}, "data.left.image is (4, 60, 36) uint8, not (N, 36, 60) uint8"),
        ({"image": np.zeros((4, 36, 60))}, "data.left.image is (4, 36, 60) float64, not (N, 36, 60) uint8"),
    ],
)
def test_values_of_another_shape_or_kind(tmp_path, left, sentence):
    path = write_day(tmp_path, left=side_of(1) | left)
    assert refused(tmp_path).startswith(f"{path}: {sentence}")


def test_missing_fields(tmp_path):
    path = write_day(tmp_path, left={"image": side_of(1)["image"]})
    assert refused(tmp_path) == f"{path}: holds no data.left.gaze; put the data set's own .mat file there"
    savemat(path, {"data": {"left": side_of(1)}})
    assert refused(tmp_path).startswith(f"{path}: holds no data.right")
    savemat(path, {"data": np.zeros((3, 3))})
    assert refused(tmp_path).startswith(f"{path}: holds no data.left")
    savemat(path, {"other": np.zeros(3)})
    assert refused(tmp_path).startswith(f"{path}: holds no data;")
