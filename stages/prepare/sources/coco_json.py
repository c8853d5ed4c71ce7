"""Files that list the labels of the images beside them in the format of COCO."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

from stages.common.coco_entries import CocoImage, Entry
from stages.common.errors import UserError
from stages.common.json_files import read_json
from stages.common.params import parse

File = TypeVar("File", bound=Entry)


def read_coco(cls: type[File], path: Path, why: str) -> File:
    """The whole file. Raises UserError when it is missing (`why` says what it is for) or no such JSON."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; {why}")
    content = read_json(path, missing=why, damaged="correct it there, or write it anew")
    if not isinstance(content, dict):
        keys = [*cls.model_fields]
        raise UserError(
            f"{path}: no mapping at the top; COCO's has the keys {', '.join(keys[:-1])} and {keys[-1]}, each with a "
            "list"
        )
    return parse(cls, content, path, "")


def image_names(images: Iterable[CocoImage], path: Path) -> dict[int, str]:
    """Image id -> file name without folders. Raises UserError when either is listed twice."""
    names: dict[int, str] = {}
    for image in images:
        name = Path(image.file_name).name
        if image.id in names or name in names.values():
            raise UserError(f"{path}: images: {name} or its id {image.id} is listed twice; remove one of them")
        names[image.id] = name
    return names


def refuse_unlisted(image: Path, listed: Collection[str], listed_in: Path, remedy: str) -> None:
    """Raises UserError when the names listed lack that of an image; `remedy` says what to do then."""
    if image.name in listed:
        return
    if image.stem in listed:
        raise UserError(f"{listed_in}: images: {image.stem} has no suffix; give whole names, such as {image.name}")
    raise UserError(f"{listed_in}: images: {image.name} is not listed; {remedy}")


def refuse_other_size(
    image: Path, said: tuple[int | None, int | None], real: tuple[int, int], listed_in: Path, labels: str
) -> None:
    """Raises UserError when a file says another (height, width) of an image than it has; None and 0 say nothing.

    labels: what was drawn in it.
    """
    for key, one, other in zip(("height", "width"), said, real, strict=True):
        if one and one != other:
            raise UserError(
                f"{listed_in}: images: {image.name} has {key} {one}, but the image has {other}, so the {labels} were "
                "drawn for another size; scale both, or put the image there that they were drawn in"
            )
