"""NYU hand pose data (Tompson, Stein, Lecun, Perlin, TOG 2014): depth maps of hands, photographed and rendered.

`train/` and `test/` hold `depth_1_<n>.png`, 640 x 480 RGB images of green * 256 + blue millimetres, the renderings
`synthdepth_1_<n>.png` of the same poses, and `joint_data.mat` with `joint_uvd` (cameras, frames, 36, 3): x, y in
pixels, depth in millimetres; frame n is row n - 1. Only the frontal camera, 1, is taken.

Preprocessing as SimGAN has it (Shrivastava et al., CVPR 2017): the hand cropped, the background 0, the foreground its
distance from a background at 2,000 mm, 224 x 224 pixels. How the hand is cropped it does not say: here it is a cube of
300 mm around the middle of the joints, as pose estimators crop it. The joints place the crop in every set, so what is
measured is the pose of a hand that has been found.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import Box, box_around, moved, window
from stages.prepare.params import PrepareParams
from stages.prepare.reading import open_image, resized
from stages.prepare.records import BadFileError, Pixels, Record, Source, group_of
from stages.prepare.sources.matfile import read_mat

SIZE = (224, 224)
FRAME_SIZE = (480, 640)
ALL_JOINTS = 36
# The 14 joints that are evaluated: two a finger, three of the thumb and three of the palm.
JOINTS = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
CLASSES = ("background", "hand")
FOCAL = 588.03  # pixels
CUBE = 300.0  # mm
BACKGROUND, NEAREST = 2000.0, 500.0  # mm, grey 0 and 255
GROUP = 30  # frames, a second: neighbours show nearly the same pose


def read_source(params: PrepareParams) -> Source:
    """The real hands of train, labelled, those of test when they are there, and train's renderings as simulated."""
    root = params.path
    if root is None or not root.is_dir():
        found = "not set" if root is None else f"{root} is no folder"
        raise UserError(f"prepare.path: {found}; source nyu needs the one with train/ and test/")
    size = params.resize or SIZE
    joints = read_joints(root / "train" / "joint_data.mat")
    records = hand_records(root / "train", "depth", "labeled", joints, size, params.group_pattern)
    if not records:
        raise UserError(f"{root / 'train'}: no depth_1_0000001.png or the like; put NYU's depth maps there")
    if (root / "test").is_dir():
        known = read_joints(root / "test" / "joint_data.mat")
        records += hand_records(root / "test", "depth", "test", known, size, params.group_pattern)
    simulated: list[Record] = []
    if params.simulator == "auto":
        simulated = _spread(hand_records(root / "train", "synthdepth", "simulated", joints, size), params.simulated)
    spec = DatasetSpec(name="nyu", size=size, channels=1, classes=CLASSES, keypoints=len(JOINTS), depth=True)
    return Source(spec, records, simulated)


def _spread(records: list[Record], count: int | None) -> list[Record]:
    """At most `count` records from all over the recording: its first ones would show few poses."""
    if count is None or count >= len(records):
        return records
    return [records[number * len(records) // count] for number in range(count)]


def read_joints(path: Path) -> np.ndarray:
    """(F, 36, 3) float32 x, y in pixels and depth in mm for the frontal camera. Raises UserError."""
    joints = read_mat(path, "joint_uvd")
    if joints.ndim != 4 or joints.shape[2:] != (ALL_JOINTS, 3) or joints.dtype.kind != "f":
        raise UserError(
            f"{path}: joint_uvd is {joints.shape} {joints.dtype}, not (cameras, frames, {ALL_JOINTS}, 3) numbers; "
            "put NYU's own file there"
        )
    return joints[0].astype(np.float32)


def hand_records(
    folder: Path, prefix: str, pool: str, joints: np.ndarray, size: tuple[int, int], pattern: str | None = None
) -> list[Record]:
    """Records of `<prefix>_1_<n>.png` by number; 30 frames in a row are a group unless a pattern is given.

    Raises UserError for a frame without joints.
    """
    records = []
    for path in sorted(folder.glob(f"{prefix}_1_*.png")):
        number, name = _frame(path, prefix, len(joints)), f"{folder.name}-{path.stem}"
        group = f"{pool}/{(number - 1) // GROUP}" if pattern is None else group_of(name, pool, pattern)
        records.append(Record(name, pool, group, str(path), partial(read_hand, path, joints[number - 1], size)))
    return records


def _frame(path: Path, prefix: str, frames: int) -> int:
    found = re.fullmatch(prefix + r"_1_(\d+)", path.stem)
    if found is None:
        raise UserError(f"{path}: no frame number at the end of its name; name it like {prefix}_1_0000001.png")
    number = int(found[1])
    if not 1 <= number <= frames:
        raise UserError(
            f"{path}: no joints for frame {number}; {path.parent / 'joint_data.mat'} has those of 1 to {frames}"
        )
    return number


def read_hand(path: Path, joints: np.ndarray, size: tuple[int, int]) -> Pixels:
    """One hand at (height, width).

    image: (H, W, 1), 0 the background; a hand's pixel is 255 * (2000 - depth) / 1500, at least 1: 6 mm a step.
    mask: 1 the hand. depth: (H, W) mm, 0 background. keypoints: the 14 evaluated of the (36, 3) joints; the files do
    not say which are hidden, so all count as seen but those outside of the crop. Raises BadFileError for an image that
    is no depth map of the frame's hand, UserError for joints that are nowhere.
    """
    middle = (joints.min(0) + joints.max(0)) / 2
    if not np.isfinite(joints).all() or middle[2] <= CUBE / 2:
        raise UserError(f"{path}: its joints in joint_data.mat have no place or depth; leave the frame out")
    box = hand_box(middle)
    depth = hand_depth(window(read_depth(path), box), float(middle[2]))
    if not depth.any():
        raise BadFileError(str(path), f"nothing within {CUBE / 2:.0f} mm of its joints; replace or remove the file")
    keypoints = np.column_stack([joints[list(JOINTS), :2], np.full(len(JOINTS), 2)])
    mask = (depth > 0).astype(np.uint8)
    return resized(Pixels(grey(depth)[:, :, None], mask, moved(keypoints, box), depth), size)


def read_depth(path: Path) -> np.ndarray:
    """(480, 640) float32 mm, 0 where the camera saw nothing. Raises BadFileError."""
    opened = open_image(path)
    if opened.mode != "RGB":
        raise BadFileError(str(path), f"mode {opened.mode}, but NYU's depth maps are RGB; put its own file there")
    pixels = np.asarray(opened)
    if pixels.shape[:2] != FRAME_SIZE:
        found = f"{pixels.shape[0]} x {pixels.shape[1]} pixels (height x width)"
        raise BadFileError(str(path), f"{found}, but NYU's depth maps are 480 x 640; put its own file there")
    return pixels[:, :, 1].astype(np.float32) * 256 + pixels[:, :, 2]


def hand_box(middle: np.ndarray) -> Box:
    """The square that the cube takes in the image at the depth of its middle: x, y in pixels, depth in mm."""
    return box_around(float(middle[0]), float(middle[1]), CUBE * FOCAL / float(middle[2]), 1.0)


def hand_depth(depth: np.ndarray, middle: float) -> np.ndarray:
    """(H, W) mm with 0 for all that is outside of the cube or not before the background."""
    inside = (np.abs(depth - middle) <= CUBE / 2) & (depth > 0) & (depth < BACKGROUND)
    return np.where(inside, depth, 0).astype(np.float32)


def grey(depth: np.ndarray) -> np.ndarray:
    """(H, W) mm to uint8: the distance before the background, NEAREST and nearer 255, the background itself 0."""
    shade = np.round(255 * (BACKGROUND - depth) / (BACKGROUND - NEAREST)).clip(1, 255)
    return np.where(depth > 0, shade, 0).astype(np.uint8)
