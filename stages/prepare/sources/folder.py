"""A user's own images: dataset.yaml, unlabeled/, and labeled/, full/, test/, val/ with images/ and their labels:
masks/, annotations.json or labels.csv where pixels, boxes or images have classes, keypoints.json, depth/, and
labels.csv where there is a gaze."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import image_files, read_image, read_mask
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources import box_json, depth_png, keypoint_json
from stages.prepare.sources.class_csv import class_of, read_classes
from stages.prepare.sources.dataset_yaml import DatasetYaml, read_dataset_yaml, spec_of
from stages.prepare.sources.gaze_csv import gaze_of, read_gaze
from stages.prepare.sources.tables import NAME

FOLDERS = ("unlabeled", "labeled", "full", "test", "val", "simulated", "foregrounds", "backgrounds")


def read_source(params: PrepareParams) -> Source:
    """Records of every image under params.path. Raises UserError when the folder lacks a part that it must have."""
    root = params.path
    if root is None or not root.is_dir():
        found = "not set" if root is None else f"{root} is no folder"
        raise UserError(f"prepare.path: {found}; source folder needs the one with dataset.yaml")
    described = read_dataset_yaml(root / "dataset.yaml")
    spec = spec_of(described)
    print_unread(root, params.simulator_path)
    records = pool_records(root / "unlabeled", "unlabeled", described, params)
    for pool in ("labeled", "test", "val", *_full(root, params.full)):
        if (pool == "labeled" and spec.classes) or (root / pool).is_dir():
            records += pool_records(root / pool / "images", pool, described, params)
    if not spec.classes and not any(record.pool != "unlabeled" for record in records):
        raise UserError(f"{root / 'test'}: no such folder; add test/images/ with the labels of each image beside it")
    simulated = simulated_records(root, described, params) if params.simulator == "auto" else []
    if params.simulator != "auto" and (root / "simulated").is_dir():
        print(f"note: {root / 'simulated'} is not read, for prepare.simulator is {params.simulator}; auto reads it")
    labelled, classes = sum(r.pool == "labeled" for r in records), len(spec.foreground)
    if labelled < classes:
        raise UserError(
            f"{root / 'labeled'}: {labelled} labelled images for {classes} classes; label at least one image a class"
        )
    return Source(spec, records, simulated)


def _full(root: Path, wanted: int | None) -> list[str]:
    """The pool of further labelled images, where there is one and it is asked for."""
    if wanted == 0 and (root / "full").is_dir():
        print(f"note: {root / 'full'} is not read, for prepare.full is 0; null takes all of its images")
    return [] if wanted == 0 else ["full"]


def print_unread(root: Path, simulator: Path | None = None) -> None:
    """A note for each sub-folder that is no part of the layout, for one with a misspelt name would be missed silently.

    simulator: a folder that is read for another reason.
    """
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        elsewhere = simulator is not None and simulator.resolve().is_relative_to(folder.resolve())
        if folder.name not in FOLDERS and not elsewhere:
            close = difflib.get_close_matches(folder.name.lower(), FOLDERS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"read are {', '.join(FOLDERS)}"
            print(f"note: {folder} is not read; {hint}")


def simulated_records(root: Path, described: DatasetYaml, params: PrepareParams) -> list[Record]:
    """Records of `simulated/`, laid out like `labeled/`, at most as many as asked for; none without that folder."""
    if not (root / "simulated").is_dir():
        return []
    return pool_records(root / "simulated" / "images", "simulated", described, params)[: params.simulated]


def pool_records(folder: Path, pool: str, described: DatasetYaml, params: PrepareParams) -> list[Record]:
    """Records of the images in one folder; all but those of `unlabeled` with their labels beside it."""
    images = image_files(folder)
    labels = None if pool == "unlabeled" else Labels.beside(folder, described, {path.name for path in images})
    spec = spec_of(described)
    return [
        Record(
            source_id=path.stem,
            pool=pool,
            group=group_of(path.stem, pool, params.group_pattern),
            file=str(path),
            read=partial(read_labelled, path, labels, spec, params.resize is not None),
        )
        for path in images
    ]


@dataclass(frozen=True)
class Labels:
    """The labels of a pool. masks, depth: their folders. unit_m: metres a step of the depth. gaze, classes, boxes,
    keypoints: by file name. pool: its folder, with the tables that list them."""

    pool: Path
    masks: Path | None = None
    depth: Path | None = None
    unit_m: float = 1.0
    gaze: Mapping[str, np.ndarray] | None = None
    classes: Mapping[str, int] | None = None
    boxes: Mapping[str, box_json.Boxes] | None = None
    keypoints: Mapping[str, keypoint_json.Keypoints] | None = None

    @classmethod
    def beside(cls, images: Path, described: DatasetYaml, names: set[str]) -> "Labels":
        """The labels beside a folder `images/` with files of these names.

        Raises UserError for a mask or a depth map without an image or an unreadable table.
        """
        pool, kind, spec, points = images.parent, described.labels, spec_of(described), described.keypoints
        found = cls(
            pool,
            masks=pool / "masks" if described.classes and kind == "masks" else None,
            depth=pool / depth_png.FOLDER if described.depth else None,
            unit_m=described.depth.unit_m if described.depth else 1.0,
            gaze=read_gaze(pool / NAME, described.gaze) if described.gaze else None,
            classes=read_classes(pool / NAME, spec) if kind == "image" else None,
            boxes=box_json.read_boxes(pool / box_json.NAME, spec) if kind == "boxes" else None,
            keypoints=keypoint_json.read_keypoints(pool / keypoint_json.NAME, points.count) if points else None,
        )
        for folder, what in ((found.masks, "mask"), (found.depth, "depth map")):
            if folder is not None:
                _refuse_orphans(folder, {Path(name).stem for name in names}, what)
        _print_orphans(pool / NAME, [*(found.gaze or found.classes or [])], names)
        _print_orphans(pool / box_json.NAME, [*(found.boxes or [])], names)
        _print_orphans(pool / keypoint_json.NAME, [*(found.keypoints or [])], names)
        return found


def _refuse_orphans(folder: Path, stems: set[str], what: str) -> None:
    for path in sorted(folder.glob("*.png")):
        if path.stem not in stems:
            raise UserError(f"{path}: no image of that name in {folder.parent / 'images'}; add it or remove the {what}")


def _print_orphans(table: Path, listed: list[str], names: set[str]) -> None:
    if lost := [name for name in listed if name not in names]:
        images = table.parent / "images"
        print(f"note: {table}: {len(lost)} of {len(listed)} names have no image in {images}, {lost[0]} first; not read")


def read_labelled(path: Path, labels: Labels | None, spec: DatasetSpec, any_size: bool) -> Pixels:
    """One image and, where there are labels, those that the data set has: its mask and its depth of the same size, its
    keypoints, its boxes, its class and its gaze."""
    image = read_image(path, spec, any_size)
    if labels is None:
        return Pixels(image)
    pool, size, file = labels.pool, (image.shape[0], image.shape[1]), f"{path.stem}.png"
    masks, points, depth, gaze, classes = labels.masks, labels.keypoints, labels.depth, labels.gaze, labels.classes
    boxes, ignored = _boxes(path, labels, size)
    listed_in = pool / keypoint_json.NAME
    return Pixels(
        image,
        mask=None if masks is None else read_mask(masks / file, size, len(spec.classes)),
        keypoints=None if points is None else keypoint_json.keypoints_of(path, points, listed_in, size),
        depth=None if depth is None else depth_png.read_depth(depth / file, size, labels.unit_m),
        gaze=None if gaze is None else gaze_of(path, gaze, pool / NAME),
        boxes=boxes,
        ignored=ignored,
        class_id=None if classes is None else class_of(path, classes, pool / NAME),
    )


def _boxes(path: Path, labels: Labels, size: tuple[int, int]) -> tuple[np.ndarray | None, np.ndarray | None]:
    if labels.boxes is None:
        return None, None
    found = box_json.boxes_of(path, labels.boxes, labels.pool / box_json.NAME, size)
    return found.counted, found.ignored if len(found.ignored) else None
