"""What `prepare` can be told about cut-outs, backgrounds and the data sets of compositing."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stages.common.params import Params
from stages.common.ranges import Scale


class ForegroundParams(Params):
    """The cut-outs of objects."""

    source: Literal["auto", "none", "labeled", "folder"] = "auto"
    """labeled: the objects of the labelled images, digits by their grey values, others by their masks. folder: the
    folder's `foregrounds/`. auto: what the source brings, the folder's own where it is there; none makes none."""
    count: int | None = Field(default=None, ge=1)
    """At most so many; null takes all."""
    largest: float = Field(default=1.0, gt=0, le=1)
    """Share of the image's height and width that a cut-out may take; a larger one is scaled down. The digits of digits,
    mnist and affnist stay as they are, so that pasted on black they are the same images again."""


class BackgroundParams(Params):
    """The images that cut-outs are pasted on."""

    source: Literal["auto", "none", "black", "photos", "folder"] = "auto"
    """black: a single black image. photos: parts of the photographs that come with scikit-image and scikit-learn.
    folder: the folder's `backgrounds/`. auto: what the source brings, black for digits; none makes none."""
    path: Path | None = None
    """A folder in COCO's layout whose images without the chosen classes are the backgrounds of `voc`."""
    count: int | None = Field(default=500, ge=1)
    """How many; files give at most one each when they are cropped in the middle. null: one a file, not for photos."""
    crop: Literal["random", "middle"] = "random"
    """Which part of a file is taken that covers the frame in one direction only."""


class AffnistParams(Params):
    """Ranges of the affine maps that make affNIST's digits out of MNIST's; the shift is any that keeps all ink in."""

    rotate: float = Field(default=20.0, ge=0, le=180)
    """Degrees, either way."""
    shear: float = Field(default=0.2, ge=0, le=1)
    """Sideways shift a unit of height, either way."""
    scale: Scale = (0.8, 1.2)
    """Of each axis."""


class VocParams(Params):
    """Which images of PASCAL VOC are used, and what is to be found in them."""

    classes: tuple[str, ...] = Field(default=("person",), min_length=1)
    """Names of VOC's classes; the others count as background."""
    labeled: str = "Segmentation/trainval"
    """List of ImageSets/ to learn from; only of images with instance masks cut-outs can be made."""
    test: str = "Main/test"
    """List of ImageSets/ to test on."""
    difficult: bool = False
    """Whether objects that are marked as difficult are to be found and learnt from. PASCAL's rule, and false, is that
    finding one is neither right nor wrong, and that no image is learnt from for its sake."""


class CocoParams(Params):
    """Which images of COCO are used, and what is to be found in them."""

    classes: tuple[str, ...] = Field(default=("person",), min_length=1)
    """Names of COCO's categories; the others count as background."""
    labeled: str = "train2017"
    """Part to learn from, and to take backgrounds of: its images and annotations/instances_<part>.json."""
    test: str = "val2017"
    """Part to test on."""
