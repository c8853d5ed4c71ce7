"""PASCAL VOC (Everingham et al., IJCV 2010) of any year, or several: JPEGImages/, Annotations/, SegmentationObject/,
SegmentationClass/ and ImageSets/."""

from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import IGNORE, DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import open_image
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.coco import empty_parts, read_part
from stages.prepare.sources.instances import Instance, Pictured, cut_instances, folder_of, frame_of, read_boxed
from stages.prepare.sources.voc_xml import read_objects

# By their ids in SegmentationClass.
NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def read_source(params: PrepareParams, seed: int) -> Source:
    """The labelled list's images that show a chosen class, all of the test list's, cut-outs from the former, and as
    backgrounds images of a COCO folder without those classes."""
    root, wanted = folder_of(params, "VOC2007/, VOC2012/ or JPEGImages/"), params.voc
    for name in wanted.classes:
        if name not in NAMES[1:]:
            raise UserError(f"prepare.voc.classes: no class {name}; VOC has {', '.join(NAMES[1:])}")
    spec = DatasetSpec(
        name="voc", size=frame_of(params), channels=3, classes=("background", *wanted.classes), labels="boxes"
    )
    listed = {pool: images_of(root, name) for pool, name in (("labeled", wanted.labeled), ("test", wanted.test))}
    both = sorted(set(listed["labeled"]) & set(listed["test"]))
    if both:
        raise UserError(f"prepare.voc: {both[0].name} is in both {wanted.labeled} and {wanted.test}; take other lists")
    learn = [path for path in listed["labeled"] if len(boxes_of(path, params, spec))]
    records = [voc_record(path, "labeled", params, spec) for path in learn]
    records += [voc_record(path, "test", params, spec) for path in listed["test"]]
    by_name = {name_of(path): path for path in learn}
    cut = partial(cut_instances, partial(pictured, by_name, spec), spec, params.foregrounds.largest)
    return Source(spec, records, cut=cut, backgrounds=coco_backgrounds(params, spec, seed), backdrop="own")


def images_of(root: Path, name: str) -> list[Path]:
    """The images on a list of ImageSets/, of every year that has it. Raises UserError when none has."""
    homes = (
        [root]
        if (root / "JPEGImages").is_dir()
        else sorted([*root.glob("VOC[0-9]*"), *root.glob("VOCdevkit/VOC[0-9]*")])
    )
    lists = [home / "ImageSets" / f"{name}.txt" for home in homes]
    found = [path for path in lists if path.is_file()]
    if not found:
        raise UserError(f"{root}: no VOC folder in it has ImageSets/{name}.txt; put VOC's own lists there")
    images = []
    for path in found:
        stems = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        images += [path.parents[len(Path(name).parts)] / "JPEGImages" / f"{stem}.jpg" for stem in stems]
    return images


def name_of(path: Path) -> str:
    """Year and number of an image."""
    return f"{path.parents[1].name}-{path.stem}"


def voc_record(path: Path, pool: str, params: PrepareParams, spec: DatasetSpec) -> Record:
    """An image with its boxes."""
    group = group_of(path.stem, pool, params.group_pattern)
    return Record(name_of(path), pool, group, str(path), partial(read_image_and_boxes, path, params, spec))


def read_image_and_boxes(path: Path, params: PrepareParams, spec: DatasetSpec) -> Pixels:
    """An image at the size of the data set, with the boxes of the chosen classes; difficult ones are ignored."""
    boxes, ignored = (boxes_of(path, params, spec, counted) for counted in (True, False))
    return read_boxed(path, boxes, ignored, spec)


def boxes_of(path: Path, params: PrepareParams, spec: DatasetSpec, counted: bool = True) -> np.ndarray:
    """(K, 5) boxes of the chosen classes that count, or those that do not, in pixels from the image's corner; VOC
    counts pixels from 1."""
    objects = read_objects(path.parents[1] / "Annotations" / f"{path.stem}.xml")
    chosen = [one for one in objects if one.name in spec.classes[1:]]
    kept = [one for one in chosen if (params.voc.difficult or not one.difficult) == counted]
    rows = [(one.xmin - 1, one.ymin - 1, one.xmax, one.ymax, spec.classes.index(one.name)) for one in kept]
    return np.array(rows, np.float32).reshape(-1, 5)


def pictured(images: dict[str, Path], spec: DatasetSpec, source_id: str) -> Pictured:
    """An image with those of its objects that have a mask and are of a chosen class."""
    path = images[source_id]
    home, file = path.parents[1], f"{path.stem}.png"
    if not (home / "SegmentationObject" / file).is_file():
        return Pictured(path, [])
    objects, classes = (_ids(home / folder / file) for folder in ("SegmentationObject", "SegmentationClass"))
    if objects.shape != classes.shape:
        raise UserError(
            f"{home / 'SegmentationClass' / file}: not of the size of SegmentationObject/{file}; fetch it again"
        )
    instances = []
    for number in np.setdiff1d(objects, [0, IGNORE]).tolist():
        label = int(np.bincount(classes[objects == number]).argmax())
        name = NAMES[label] if label < len(NAMES) else ""
        if name in spec.classes[1:]:
            mask = partial(_object_mask, home / "SegmentationObject" / file, number)
            instances.append(Instance(spec.classes.index(name), mask))
    return Pictured(path, instances)


def _ids(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"{path}: no such file; VOC has one for each in SegmentationObject/")
    ids = np.asarray(open_image(path))
    if ids.ndim != 2:
        raise UserError(f"{path}: {ids.shape[2]} channels, but VOC's masks hold ids; put its own file there")
    return ids


def _object_mask(path: Path, number: int, size: tuple[int, int]) -> np.ndarray:
    ids = _ids(path)
    if ids.shape != size:
        raise UserError(f"{path}: {ids.shape[0]} x {ids.shape[1]} pixels, but its image is {size[0]} x {size[1]}")
    return ids == number


def coco_backgrounds(params: PrepareParams, spec: DatasetSpec, seed: int) -> list[Record]:
    """Parts of COCO's images that show none of the chosen classes; none where the params name no folder."""
    if params.backgrounds.path is None:
        return []
    names = tuple(COCO_NAMES.get(name, name) for name in spec.classes[1:])
    return empty_parts(read_part(params.backgrounds.path, params.coco.labeled, names), spec, params.backgrounds, seed)


# Where COCO calls a class of VOC by another name.
COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
