"""A user's own images: dataset.yaml, unlabeled/, and labeled/, test/, val/ with images/ and masks/."""

from functools import partial
from pathlib import Path

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import read_image, read_mask
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.dataset_yaml import read_dataset_yaml

SUFFIXES = (".png", ".jpg", ".jpeg")


def read_source(params: PrepareParams) -> Source:
    """Records of every image under params.path. Raises UserError when the folder lacks a part that it must have."""
    root = params.path
    if root is None or not root.is_dir():
        found = "not set" if root is None else f"{root} is no folder"
        raise UserError(f"prepare.path: {found}; source folder needs the one with dataset.yaml")
    spec = read_dataset_yaml(root / "dataset.yaml")
    records = pool_records(root / "unlabeled", "unlabeled", spec, params)
    for pool in ("labeled", "test", "val"):
        if pool == "labeled" or (root / pool).is_dir():
            records += pool_records(root / pool / "images", pool, spec, params)
    labelled, classes = sum(r.pool == "labeled" for r in records), len(spec.foreground)
    if labelled < classes:
        raise UserError(
            f"{root / 'labeled'}: {labelled} labelled images for {classes} classes; label at least one image a class"
        )
    return Source(spec, records)


def pool_records(folder: Path, pool: str, spec: DatasetSpec, params: PrepareParams) -> list[Record]:
    """Records of the images in one folder; all but `unlabeled` with the masks in `masks/` beside it."""
    images = image_files(folder)
    masks = None if pool == "unlabeled" else folder.parent / "masks"
    if masks is not None:
        _refuse_orphans(masks, {path.stem for path in images})
    return [
        Record(
            source_id=path.stem,
            pool=pool,
            group=group_of(path.stem, pool, params.group_pattern),
            file=str(path),
            read=partial(read_pair, path, masks, spec, params.resize is not None),
        )
        for path in images
    ]


def image_files(folder: Path) -> list[Path]:
    """The images of a folder by name. Raises UserError when there are none, or two of the same name."""
    images = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not images:
        found = "no .png or .jpg images" if folder.is_dir() else "no such folder"
        raise UserError(f"{folder}: {found}; put your images there")
    stems: dict[str, Path] = {}
    for path in images:
        if path.stem in stems:
            raise UserError(f"{path}: {stems[path.stem].name} has the same name; rename one of them")
        stems[path.stem] = path
    return images


def _refuse_orphans(masks: Path, stems: set[str]) -> None:
    for path in sorted(masks.glob("*.png")):
        if path.stem not in stems:
            raise UserError(f"{path}: no image of that name in {masks.parent / 'images'}; add it or remove the mask")


def read_pair(path: Path, masks: Path | None, spec: DatasetSpec, any_size: bool) -> Pixels:
    """One image and, where there are masks, its mask of the same size."""
    image = read_image(path, spec, any_size)
    if masks is None:
        return Pixels(image, None)
    height, width = image.shape[:2]
    return Pixels(image, read_mask(masks / f"{path.stem}.png", (height, width), len(spec.classes)))
