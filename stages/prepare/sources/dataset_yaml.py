"""dataset.yaml: what a user says about a folder of images."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.common.errors import UserError
from stages.common.params import Params, parse, read_yaml
from stages.common.spec import IGNORE, DatasetSpec

Side = Annotated[int, Field(ge=4, le=4096)]


class ImageFormat(Params):
    """size: [height, width] in pixels. channels: 1 grey, 3 RGB."""

    size: tuple[Side, Side]
    channels: Literal[1, 3]


class KeypointFormat(Params):
    """count: points an image. flip: for each point, the one that takes its place in the mirror image."""

    count: int = Field(ge=1)
    flip: tuple[int, ...] = ()

    @field_validator("flip")
    @classmethod
    def _trades_places(cls, flip: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        count = info.data.get("count")
        if not flip or count is None:
            return flip
        if len(flip) != count:
            raise ValueError(f"{len(flip)} numbers for {count} points; give one for each, or leave flip out")
        for point, other in enumerate(flip):
            if not 0 <= other < count:
                raise ValueError(f"point {other} is none of the {count}, which are 0 to {count - 1}")
            if flip[other] != point:
                raise ValueError(f"point {point} trades places with {other}, but {other} with {flip[other]}")
        return flip


class DepthFormat(Params):
    """unit_m: metres a step of the grey value."""

    unit_m: float = Field(gt=0)


class GazeFormat(Params):
    """unit of the angles, and the names of their columns: first the pitch, then the yaw."""

    unit: Literal["radian", "degree"]
    columns: tuple[str, str]

    @field_validator("columns")
    @classmethod
    def _pitch_then_yaw(cls, columns: tuple[str, str]) -> tuple[str, str]:
        if columns[0] == columns[1] or columns == ("yaw", "pitch"):
            raise ValueError("name two columns, first that of the pitch, then that of the yaw")
        return columns


class DatasetYaml(Params):
    """The whole file. classes: names by id, the background first. labels: what they are classes of: pixels (`masks`),
    `boxes`, or whole images (`image`). keypoints, depth, gaze: there where images have them, with classes or without.
    """

    name: str
    image: ImageFormat
    classes: tuple[str, ...] = ()
    labels: Literal["masks", "boxes", "image"] = "masks"
    keypoints: KeypointFormat | None = None
    depth: DepthFormat | None = None
    gaze: GazeFormat | None = None


def read_dataset_yaml(path: Path) -> DatasetYaml:
    """What a folder says about itself. Raises UserError naming the key that is unknown, missing or wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; describe the data there: name, image: {{size, channels}}, classes")
    found = parse(DatasetYaml, read_yaml(path), path, "")
    classes = found.classes
    others = found.keypoints or found.depth or found.gaze
    unnamed = others is not None and not classes and found.labels == "masks"
    if not 2 <= len(classes) <= IGNORE and not unnamed:
        raise UserError(
            f"{path}: classes: {len(classes)} named; name the background first, then 1 to {IGNORE - 1}, or leave the "
            "key out where images have keypoints, a depth or a gaze and no masks"
        )
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise UserError(f"{path}: classes: {twice} is named twice")
    return found


def spec_of(found: DatasetYaml) -> DatasetSpec:
    """What later stages need of it."""
    image, points = found.image, found.keypoints
    return DatasetSpec(
        name=found.name,
        size=image.size,
        channels=image.channels,
        classes=found.classes,
        labels=found.labels,
        keypoints=0 if points is None else points.count,
        flip=() if points is None else points.flip,
        gaze=found.gaze is not None,
        depth=found.depth is not None,
    )
