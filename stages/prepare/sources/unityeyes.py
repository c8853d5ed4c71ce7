"""Rendered eyes of UnityEyes (Wood, Baltrusaitis, Morency, Robinson, Bulling, ETRA 2016), cropped like photographs.

A folder of `<n>.jpg` or .png, each with a `<n>.json` that holds `interior_margin_2d` (16 points from the inner corner
over the upper lid to the outer corner and back along the lower lid), `caruncle_2d` and `iris_2d`, lists of texts
"(x, y, z)" with x, y in pixels from the lower left corner of the image, and `eye_details.look_vec`, a text
"(x, y, z, 0)" of the direction in the frame of Unity's camera: x right, y up, z away from the camera.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from stages.common.errors import UserError
from stages.common.gaze import angles_of
from stages.common.spec import DatasetSpec
from stages.prepare.cropping import box_around, cropped, reaches_out
from stages.prepare.params import PrepareParams
from stages.prepare.reading import image_files, read_image, resized
from stages.prepare.records import BadFileError, Pixels, Record
from stages.prepare.simulators.eyes import IRIS, SCLERA, SKIN

LID_POINTS = 16
KEYPOINTS = 1 + LID_POINTS
# Width of the eye, corner to corner, as a share of the image's. MPIIGaze's normalised images are 60 px wide, taken by
# a camera of focal length 960 px at 600 mm, and its face model has eyes 23.8 mm wide: 23.8 * 960 / 600 / 60 = 0.63.
EYE_SHARE = 0.63


def simulated_eyes(params: PrepareParams, spec: DatasetSpec) -> list[Record]:
    """At most `prepare.simulated` records of `prepare.simulator_path`, at the size and colours of the data set."""
    if params.simulator_path is None:
        raise UserError(
            "prepare.simulator_path: not set; simulator unityeyes needs the folder of its images and .json files"
        )
    return unityeyes_records(params.simulator_path, spec.size, spec.channels, params.simulated)


def unityeyes_records(folder: Path, size: tuple[int, int], channels: int, limit: int | None) -> list[Record]:
    """Records of the first `limit` images by number, each at (height, width); None takes all.

    Raises UserError when there are no images or one has no .json file.
    """
    images = sorted(image_files(folder), key=lambda path: (len(path.stem), path.stem))[:limit]
    for path in images:
        if not path.with_suffix(".json").is_file():
            raise UserError(f"{path}: no {path.stem}.json beside it; add the one that UnityEyes wrote with the image")
    spec = DatasetSpec(name="unityeyes", size=size, channels=channels, keypoints=KEYPOINTS, gaze=True)
    names = [f"unityeyes-{path.stem}" for path in images]
    return [
        Record(name, "simulated", f"simulated/{name}", str(path), partial(read_eye, path, spec))
        for name, path in zip(names, images, strict=True)
    ]


def read_eye(path: Path, spec: DatasetSpec) -> Pixels:
    """One eye in the middle of an image of the spec's size and colours, EYE_SHARE of its width from corner to corner.

    Keypoints (17, 3): centre of the iris, which counts as hidden outside of the lids, then the 16 points of the lids.
    Raises BadFileError when the image is unreadable or too small for the crop, UserError for what is wrong with the
    labels.
    """
    image = read_image(path, spec, any_size=True)
    label = path.with_suffix(".json")
    content = read_label(label)
    lids, caruncle, iris = (
        _points(content, name, image.shape[0], label) for name in ("interior_margin_2d", "caruncle_2d", "iris_2d")
    )
    if len(lids) != LID_POINTS:
        raise UserError(f"{label}: interior_margin_2d has {len(lids)} points, not {LID_POINTS}; render the image again")
    edge = np.concatenate([lids, caruncle])
    left, right = edge[edge[:, 0].argmin()], edge[edge[:, 0].argmax()]
    if right[0] - left[0] < 1:
        raise UserError(f"{label}: interior_margin_2d and caruncle_2d lie in one place; render the image again")
    x, y = (left + right) / 2
    box = box_around(x, y, (right[0] - left[0]) / EYE_SHARE, spec.size[0] / spec.size[1])
    if reaches_out(box, image):
        raise BadFileError(
            str(path),
            f"the crop around the eye, {box.width} x {box.height} pixels, reaches over the border; "
            "render the eye smaller or nearer to the middle",
        )
    mask = eye_mask((image.shape[0], image.shape[1]), edge, iris)
    pixels = Pixels(image, mask, _keypoints(lids, iris.mean(0)), gaze=_gaze(content, label))
    return resized(cropped(pixels, box), spec.size)


def eye_mask(size: tuple[int, int], edge: np.ndarray, iris: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of the classes skin, sclera and iris; UnityEyes does not say where the pupil ends."""
    layers = []
    for outline in (_hull(edge), iris):
        layer = Image.new("1", size[::-1])
        ImageDraw.Draw(layer).polygon([tuple(point) for point in outline.tolist()], fill=1)
        layers.append(np.asarray(layer))
    inside, in_iris = layers
    return np.where(inside, np.where(in_iris, IRIS, SCLERA), SKIN).astype(np.uint8)


def _hull(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import ConvexHull

    return points[ConvexHull(points).vertices]


def read_label(path: Path) -> dict[str, Any]:
    """The mapping in a .json file. Raises UserError when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole JSON file ({error}); render the image again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: no `key: value` pairs at the top; put the file that UnityEyes wrote there")
    return content


def _points(content: dict[str, Any], name: str, height: int, path: Path) -> np.ndarray:
    """(N, 2) x, y in pixels, y downwards; 0, 0 is the middle of the first pixel."""
    texts = content.get(name)
    if not isinstance(texts, list) or not texts:
        raise UserError(f"{path}: no list {name}; put the file that UnityEyes wrote there")
    points = np.array([_numbers(text, (3,), name, path)[:2] for text in texts])
    return np.stack([points[:, 0], height - points[:, 1]], axis=1) - 0.5


def _numbers(text: Any, counts: tuple[int, ...], name: str, path: Path) -> list[float]:
    try:
        numbers = [float(part) for part in str(text).strip().strip("()").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not np.isfinite(numbers).all():
        raise UserError(f"{path}: {name} holds {text!r}, not {counts[-1]} numbers in brackets; render the image again")
    return numbers


def _keypoints(lids: np.ndarray, iris: np.ndarray) -> np.ndarray:
    from matplotlib.path import Path as Polygon

    seen = np.full(KEYPOINTS, 2.0)
    seen[0] = 2 if Polygon(lids).contains_point((iris[0], iris[1])) else 1
    return np.column_stack([np.vstack([iris, lids]), seen]).astype(np.float32)


def _gaze(content: dict[str, Any], path: Path) -> np.ndarray:
    """(2,) pitch, yaw as MPIIGaze has them: its y points down where Unity's points up; x and z agree."""
    details = content.get("eye_details")
    if not isinstance(details, dict) or "look_vec" not in details:
        raise UserError(f"{path}: no eye_details.look_vec; put the file that UnityEyes wrote there")
    vector = np.array(_numbers(details["look_vec"], (3, 4), "eye_details.look_vec", path)[:3])
    if not vector.any():
        raise UserError(f"{path}: eye_details.look_vec is no direction; render the image again")
    return angles_of(vector * [1, -1, 1]).astype(np.float32)
