import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.records import BadFileError
from stages.prepare.sources import open_source
from stages.prepare.sources.nyu import FOCAL

MIDDLE = np.array([310.0, 250.0, 800.0])
# The published list of evaluated joints.
EVALUATED = [0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32]


def joints_of(frames: int, middle=MIDDLE) -> np.ndarray:
    """(3, frames, 36, 3): the joints of the frontal camera within 80 px and 100 mm, those of the others elsewhere."""
    spread = np.random.default_rng(0).uniform(-1, 1, (3, frames, 36, 3)) * [40, 40, 50]
    spread[..., 0, :], spread[..., 1, :] = [-40, -40, -50], [40, 40, 50]
    joints = spread + middle
    joints[1:] += 5000
    return joints


def encoded(depth: np.ndarray) -> Image.Image:
    """(H, W) mm as NYU stores it: the high byte in green, the low one in blue."""
    values = depth.astype(np.uint16)
    return Image.fromarray(np.stack([np.zeros_like(values), values >> 8, values & 255], axis=2).astype(np.uint8))


def frame_of(real: bool) -> np.ndarray:
    """A square hand of 100 px at 760 to 859 mm; behind a real one a body, a wall and a hole."""
    depth = np.zeros((480, 640), int)
    if real:
        depth[:], depth[:, :230], depth[300:, 400:] = 2600, 1200, 0
    depth[200:300, 260:360] = np.arange(100) + 760
    return depth


def write_part(root, part="train", frames=4, prefixes=("depth", "synthdepth"), **changes):
    folder = root / part
    folder.mkdir(parents=True)
    for prefix in prefixes:
        for number in range(1, frames + 1):
            encoded(frame_of(prefix == "depth")).save(folder / f"{prefix}_1_{number:07d}.png")
    encoded(frame_of(True)).save(folder / "depth_2_0000001.png")
    joints = joints_of(frames)
    savemat(folder / "joint_data.mat", {"joint_uvd": joints, "joint_xyz": joints} | changes)
    return folder


def params_of(root, **values) -> PrepareParams:
    return PrepareParams(source="nyu", path=root, **values)


def first(root, **values):
    return open_source(params_of(root, **values)).records[0].read()


def refused(root) -> str:
    with pytest.raises(UserError) as error:
        [record.read() for record in open_source(params_of(root)).records]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_folder_of_nyu_becomes_three_pools(tmp_path):
    write_part(tmp_path, frames=4)
    write_part(tmp_path, "test", frames=2)
    source = open_source(params_of(tmp_path))
    assert source.spec.model_dump(exclude_defaults=True) == {
        "name": "nyu",
        "size": (224, 224),
        "channels": 1,
        "classes": ("background", "hand"),
        "keypoints": 14,
        "depth": True,
    }
    assert [record.pool for record in source.records] == ["labeled"] * 4 + ["test"] * 2
    assert source.records[0].source_id == "train-depth_1_0000001"
    assert source.records[4].source_id == "test-depth_1_0000001"
    assert [record.source_id for record in source.simulated] == [
        f"train-synthdepth_1_{number:07d}" for number in range(1, 5)
    ]
    assert {record.pool for record in source.simulated} == {"simulated"}


def test_a_hand_is_cut_out_of_body_wall_and_holes(tmp_path):
    write_part(tmp_path)
    source = open_source(params_of(tmp_path))
    pixels, rendered = source.records[0].read(), source.simulated[0].read()
    assert pixels.image.shape == (224, 224, 1)
    assert pixels.image.dtype == np.uint8
    assert pixels.depth.shape == (224, 224)
    assert pixels.depth.dtype == np.float32
    np.testing.assert_array_equal(pixels.depth, rendered.depth)
    np.testing.assert_array_equal(pixels.image, rendered.image)
    hand = pixels.depth[pixels.depth > 0]
    assert hand.min() == 760
    assert hand.max() == 859
    side = 300 * FOCAL / 800
    assert (pixels.depth > 0).mean() == pytest.approx((100 / side) ** 2, rel=0.02)


def test_grey_is_the_distance_before_a_background_at_two_metres(tmp_path):
    write_part(tmp_path)
    pixels = first(tmp_path)
    inner = np.zeros((224, 224), bool)
    inner[70:150, 65:155] = True
    assert (pixels.depth[inner] > 0).all()
    expected = 255 * (2000 - pixels.depth[inner]) / 1500
    assert np.abs(pixels.image[inner, 0] - expected).max() <= 1.1
    assert (pixels.image[:20] == 0).all()


def test_keypoints_are_the_fourteen_joints_of_the_frontal_camera_where_the_crop_put_them(tmp_path):
    folder = write_part(tmp_path)
    joints = joints_of(4)[0, 0]
    joints[1:, :2] = np.round(joints[1:, :2])
    spots = joints[EVALUATED]
    depth = np.zeros((480, 640))
    for x, y, _ in np.round(spots).astype(int):
        depth[y - 1 : y + 2, x - 1 : x + 2] = 800
    encoded(depth).save(folder / "depth_1_0000001.png")
    moved = joints_of(4)
    moved[0, 0] = joints
    savemat(folder / "joint_data.mat", {"joint_uvd": moved})
    pixels = first(tmp_path)
    assert pixels.keypoints.shape == (14, 3)
    assert pixels.keypoints.dtype == np.float32
    assert (pixels.keypoints[:, 2] == 2).all()
    for x, y, _ in np.round(pixels.keypoints).astype(int):
        assert pixels.depth[y, x] == 800


def test_each_frame_has_its_own_joints(tmp_path):
    write_part(tmp_path)
    known = joints_of(4)[0]
    for number, record in enumerate(open_source(params_of(tmp_path)).records):
        moved = (known[number, EVALUATED, :2] - known[number, 0, :2]) * 224 / round(300 * FOCAL / 800)
        points = record.read().keypoints[:, :2]
        np.testing.assert_allclose(points - points[0], moved, atol=0.01)


def test_what_is_behind_two_metres_is_background(tmp_path):
    folder = write_part(tmp_path)
    savemat(folder / "joint_data.mat", {"joint_uvd": joints_of(4, np.array([310.0, 250.0, 1950.0]))})
    depth = np.full((480, 640), 2000)
    depth[:, 310:] = 1999
    encoded(depth).save(folder / "depth_1_0000001.png")
    pixels = first(tmp_path)
    assert set(np.unique(pixels.depth)) == {0, 1999}
    assert pixels.image[pixels.depth > 0].min() >= 1


def test_all_bits_of_the_depth_are_read(tmp_path):
    folder = write_part(tmp_path)
    depth = np.full((480, 640), 767)
    depth[:, 310:] = 768
    encoded(depth).save(folder / "depth_1_0000001.png")
    assert set(np.unique(first(tmp_path).depth)) == {767, 768}


def test_a_hand_at_the_border_is_filled_up_with_background(tmp_path):
    folder = write_part(tmp_path)
    savemat(folder / "joint_data.mat", {"joint_uvd": joints_of(4, np.array([20.0, 100.0, 800.0]))})
    depth = np.zeros((480, 640))
    depth[60:140, :60] = 790
    encoded(depth).save(folder / "depth_1_0000001.png")
    pixels = first(tmp_path)
    assert pixels.image.shape == (224, 224, 1)
    assert (pixels.depth[:, :90] == 0).all()
    assert (pixels.depth > 0).any()


def test_a_nearer_hand_is_cut_out_larger_so_that_it_keeps_its_size(tmp_path):
    shares = []
    for name, distance in (("near", 600.0), ("far", 1200.0)):
        folder = write_part(tmp_path / name)
        savemat(folder / "joint_data.mat", {"joint_uvd": joints_of(4, np.array([320.0, 240.0, distance]))})
        half = round(100 * FOCAL / distance / 2)  # a hand of 100 mm
        depth = np.zeros((480, 640))
        depth[240 - half : 240 + half, 320 - half : 320 + half] = distance
        encoded(depth).save(folder / "depth_1_0000001.png")
        shares.append((first(tmp_path / name).depth > 0).mean())
    assert shares == pytest.approx([1 / 9, 1 / 9], rel=0.05)


def test_simulated_images_come_from_all_over_the_recording(tmp_path):
    write_part(tmp_path, frames=6)
    simulated = open_source(params_of(tmp_path, simulated=3)).simulated
    assert [record.source_id[-1] for record in simulated] == ["1", "3", "5"]
    assert open_source(params_of(tmp_path, simulator="none")).simulated == []


def test_neighbouring_frames_are_a_group_unless_a_pattern_is_given(tmp_path):
    write_part(tmp_path, frames=31)
    groups = [record.group for record in open_source(params_of(tmp_path)).records]
    assert groups == ["labeled/0"] * 30 + ["labeled/1"]
    by_name = open_source(params_of(tmp_path, group_pattern=r"(\d)$")).records
    assert by_name[11].group == "2"


def test_resize_sets_the_size_of_every_label(tmp_path):
    write_part(tmp_path)
    source = open_source(params_of(tmp_path, resize=(64, 64)))
    pixels = source.records[0].read()
    assert source.spec.size == pixels.image.shape[:2] == pixels.depth.shape == (64, 64)
    full = first(tmp_path)
    np.testing.assert_allclose(pixels.keypoints[:, :2] + 0.5, (full.keypoints[:, :2] + 0.5) * 64 / 224, atol=1e-4)


def test_missing_parts_of_the_folder(tmp_path):
    with pytest.raises(UserError, match=r"^prepare\.path: not set; source nyu needs the one with train/ and test/"):
        open_source(PrepareParams(source="nyu"))
    assert refused(tmp_path / "no").startswith(f"prepare.path: {tmp_path}/no is no folder")
    assert refused(tmp_path).startswith(f"{tmp_path}/train/joint_data.mat: no such file")
    folder = write_part(tmp_path, prefixes=("synthdepth",))
    assert refused(tmp_path).startswith(f"{folder}: no depth_1_0000001.png or the like")


def test_a_frame_without_joints_or_without_a_number(tmp_path):
    folder = write_part(tmp_path)
    encoded(frame_of(True)).save(folder / "depth_1_0000005.png")
    assert refused(tmp_path) == (
        f"{folder}/depth_1_0000005.png: no joints for frame 5; {folder}/joint_data.mat has those of 1 to 4"
    )
    (folder / "depth_1_0000005.png").rename(folder / "depth_1_copy.png")
    assert refused(tmp_path).startswith(f"{folder}/depth_1_copy.png: no frame number at the end of its name")


def test_joints_of_another_shape_or_damaged(tmp_path):
    folder = write_part(tmp_path)
    path = folder / "joint_data.mat"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert refused(tmp_path).startswith(f"{path}: not a whole MATLAB file (")
    savemat(path, {"joint_uvd": np.zeros((3, 4, 14, 3))})
    assert refused(tmp_path).startswith(
        f"{path}: joint_uvd is (3, 4, 14, 3) float64, not (cameras, frames, 36, 3) numbers"
    )
    savemat(path, {"joint_xyz": joints_of(4)})
    assert refused(tmp_path).startswith(f"{path}: holds no joint_uvd;")


def test_joints_that_are_nowhere(tmp_path):
    folder = write_part(tmp_path)
    for value in (0.0, 1.0, np.nan):
        savemat(folder / "joint_data.mat", {"joint_uvd": np.full((3, 4, 36, 3), value)})
        assert refused(tmp_path) == (
            f"{folder}/depth_1_0000001.png: its joints in joint_data.mat have no place or depth; leave the frame out"
        )


def test_images_that_are_no_depth_maps_may_be_left_out(tmp_path):
    folder = write_part(tmp_path)
    path = folder / "depth_1_0000001.png"
    for picture, sentence in (
        (Image.new("L", (640, 480)), "mode L, but NYU's depth maps are RGB; put its own file there"),
        (Image.new("RGB", (320, 240)), r"240 x 320 pixels \(height x width\), but NYU's depth maps are 480 x 640"),
        (encoded(np.full((480, 640), 1500)), "nothing within 150 mm of its joints; replace or remove the file"),
    ):
        picture.save(path)
        with pytest.raises(BadFileError, match=sentence):
            first(tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BadFileError, match="not a readable image"):
        first(tmp_path)
