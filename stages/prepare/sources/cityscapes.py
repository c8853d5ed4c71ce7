"""Cityscapes (Cordts et al., CVPR 2016): streets of cities with a label for every pixel, 1024 x 2048 pixels.

`leftImg8bit/<split>/<city>/<name>_leftImg8bit.png` is the image, `gtFine/<split>/<city>/<name>_gtFine_labelIds.png`
its labels. `train` is learned from and `val` is tested on, for the labels of Cityscapes' own `test` are not public; no
city is in both. Without a `val` cities of `train` are held out for the test. Images of one city are a group.

Where `disparity/` and `camera/` are there too, images have a depth, in metres: baseline * focal length / disparity,
with disparity = (p - 1) / 256 for a grey value p > 0 of `<name>_disparity.png`; where it is 0, the depth is unknown.
Depths beyond 80 m count as unknown too, as in published protocols: there a pixel of disparity is more than 10 m.
"""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_ids, read_image, refuse_other_shape, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.depth_png import read_wide
from stages.prepare.sources.instances import folder_of, frame_of

FARTHEST = 80.0  # metres
POOLS = {"train": "labeled", "val": "test"}
SUFFIX = "_leftImg8bit"
LACKING = "no such file; every image needs its own, so put Cityscapes' there"


class Scene(NamedTuple):
    """Where the files of an image lie: in <kind>/<place>/, their names starting with `name`."""

    root: Path
    place: Path
    name: str

    def file(self, kind: str, ending: str) -> Path:
        """One of the files, such as `gtFine` and `gtFine_labelIds.png`."""
        return self.root / kind / self.place / f"{self.name}_{ending}"


def read_source(params: PrepareParams) -> Source:
    """The images of train and, where it is there, of val. Raises UserError when there are none of train."""
    root, size = folder_of(params, "leftImg8bit/ and gtFine/"), frame_of(params)
    labels = class_map("cityscapes", params.classes)
    deep = (root / "disparity").is_dir() and (root / "camera").is_dir()
    spec = DatasetSpec(name="cityscapes", size=size, channels=3, classes=labels.classes, depth=deep)
    pattern = params.group_pattern
    records = []
    for split, pool in POOLS.items():
        for path in sorted((root / "leftImg8bit" / split).glob(f"*/*{SUFFIX}.png")):
            scene = Scene(root, Path(split) / path.parent.name, path.stem.removesuffix(SUFFIX))
            group = group_of(path.stem, pool, pattern) if pattern else path.parent.name
            records.append(Record(scene.name, pool, group, str(path), partial(read_scene, path, scene, labels, spec)))
    if not any(record.pool == "labeled" for record in records):
        raise UserError(
            f"{root}: no image in leftImg8bit/train/<city>/; unpack leftImg8bit and gtFine of Cityscapes there"
        )
    return Source(spec, records)


def read_scene(path: Path, scene: Scene, labels: ClassMap, spec: DatasetSpec) -> Pixels:
    """A street with its mask and, where the data set has one, its depth, at the size of the data set."""
    image = read_image(path, spec, any_size=True)
    size, file = (image.shape[0], image.shape[1]), scene.file("gtFine", "gtFine_labelIds.png")
    ids = read_ids(file, LACKING)
    refuse_other_shape(file, ids.shape, size, "mask")
    depth = scene_depth(scene, size) if spec.depth else None
    return resized(Pixels(image, labels.of_ids(ids, file), depth=depth), spec.size)


def scene_depth(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 metres, 0 where the disparity is unknown or 0, or stands for more than 80 m."""
    values = read_wide(scene.file("disparity", "disparity.png"), size, "disparity", LACKING)
    disparity = (values.astype(np.float64) - 1) / 256
    scale, depth = read_camera(scene.file("camera", "camera.json")), np.zeros(size, np.float32)
    depth[disparity > 0] = scale / disparity[disparity > 0]
    depth[depth > FARTHEST] = 0
    return depth


def read_camera(path: Path) -> float:
    """Baseline times focal length, in metres times pixels. Raises UserError when the file does not say them."""
    if not path.is_file():
        raise UserError(f"{path}: {LACKING}")
    try:
        found = json.loads(path.read_bytes())
        return float(found["extrinsic"]["baseline"]) * float(found["intrinsic"]["fx"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no camera of Cityscapes ({error!r}); put its own file there") from error
