"""What a dataset is: image size, channels, classes."""

from pathlib import Path
from typing import Literal

from stages.common.json_files import read_json
from stages.common.params import Params, parse
from stages.common.paths import require, write_atomically

IGNORE = 255
SPEC_PATH = Path("data/prepare/spec.json")


class DatasetSpec(Params):
    """The part of dataset.yaml that every later stage needs. Class 0 is the background; without masks there is none.

    labels: what the classes are classes of: pixels (masks), boxes, or whole images.
    keypoints: points a sample, 0 for none. flip: for each point the one that takes its place in the mirror image.
    gaze, depth: whether samples have them.
    """

    name: str
    size: tuple[int, int]
    channels: int
    classes: tuple[str, ...] = ()
    labels: Literal["masks", "boxes", "image"] = "masks"
    keypoints: int = 0
    flip: tuple[int, ...] = ()
    gaze: bool = False
    depth: bool = False

    @property
    def strata(self) -> tuple[str, ...]:
        """What images are stratified by when they are split: their classes; without any they are all alike."""
        return self.classes or ("",)

    @property
    def foreground(self) -> range:
        """Ids of the classes other than the background."""
        return range(1, len(self.classes))


def write_spec(spec: DatasetSpec, path: Path = SPEC_PATH) -> None:
    """Write the spec as JSON."""
    write_atomically(path, spec.model_dump_json(indent=1).encode())


def read_spec(path: Path = SPEC_PATH) -> DatasetSpec:
    """The spec that `prepare` wrote."""
    anew = "run `dvc repro prepare`"
    return parse(DatasetSpec, read_json(require(path, "prepare"), missing=anew, damaged=anew), path, "")
