"""The section `train` of params.yaml."""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.common.affine import AffineParams
from stages.common.params import Params


class AugmentParams(AffineParams):
    """Random changes of every training image; each is drawn evenly from [-value, value] and 0 switches it off."""

    rotate: float = Field(default=15.0, ge=0, le=180)  # degrees
    scale: float = Field(default=0.15, ge=0, lt=1)  # zoom by up to 1 + scale, or its inverse
    shear: float = Field(default=10.0, ge=0, lt=60)  # degrees
    shift: float = Field(default=0.0625, ge=0, le=1)  # share of the side: 0.0625 of 32 pixels are 2
    brightness: float = Field(default=0.1, ge=0, le=1)
    """Share of the value range that is added."""
    contrast: float = Field(default=0.1, ge=0, lt=1)
    """Relative change of the distance to the image's mean."""
    saturation: float = Field(default=0.1, ge=0, le=1)
    """Relative change of the distance to grey; colour images alone."""


class UNetParams(Params):
    """Size of the U-Net."""

    width: int = Field(default=32, ge=4, le=256)
    """Channels of the first level; they double at each level down."""
    depth: int = Field(default=2, ge=1, le=6)
    """Times that the resolution is halved."""
    patch: Literal[1, 2, 4] = 2
    """Side of the pixel squares that are folded into channels before the first level, and unfolded after the last."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation after each convolution; groups of 8 channels."""

    @model_validator(mode="after")
    def _groups_of_eight(self) -> "UNetParams":
        if self.norm == "group" and self.width >= 8 and self.width % 8:
            raise ValueError(f"norm: group needs a width that is a multiple of 8, not {self.width}")
        return self


class DeepLabParams(Params):
    """Which DeepLab-V3."""

    backbone: Literal["resnet50", "resnet101"] = "resnet50"
    """Its feature extractor, trained from scratch like the rest."""


class HourglassParams(Params):
    """Size of the stacked hourglass network."""

    stacks: int = Field(default=2, ge=1, le=8)
    """Hourglass modules, one behind the other; each gives heat maps of its own, and the last ones count."""
    width: int = Field(default=64, ge=8, le=512, multiple_of=8)
    """Channels of a module; 256 as published."""
    depth: int = Field(default=4, ge=1, le=6)
    """Times that a module halves the resolution of the heat maps and doubles it again."""
    heat_map: int | None = Field(default=None, ge=8, le=256)
    """Longer side of the heat maps; the network scales its images to four times that size. null takes a quarter of the
    image's longer side, rounded up to a power of two, from 8 to 64: 224 pixels give 64, as published."""


class KeypointParams(Params):
    """How keypoints are learnt and scored."""

    sigma: float = Field(default=1.0, gt=0.3, le=10)
    """Deviation of the Gaussian that marks a keypoint, in pixels of the heat map."""
    within_px: float | None = Field(default=None, gt=0)
    """The score that decides is the share of keypoints found within this many pixels of the image; null takes a
    sixteenth of its longer side, at most 5."""
    thresholds_px: tuple[Annotated[float, Field(gt=0)], ...] = (2.0, 5.0, 10.0)
    """Distances for which that share is reported too."""


class TransferParams(Params):
    """The feature pyramid over a backbone with ImageNet weights: the targets `fpn`, `fpn_keypoints` and `fpn_depth`,
    and with them the recipe `transfer`."""

    backbone: Literal["efficientnet_lite0", "resnet50"] = "efficientnet_lite0"
    """Whose weights it starts from. Those of EfficientNet-Lite0 come inside of a package (the extra `backbones`); those
    of ResNet-50 are torchvision's, which fetches them once."""
    width: int = Field(default=128, ge=8, le=512)
    """Channels of each level of the pyramid."""
    enlarge: int | None = Field(default=None, ge=1, le=16)
    """Factor by which the network scales its images up first, for its finest level has a quarter of their resolution.
    null takes the smallest whole one that brings the shorter side to 128 pixels: 4 for 32 pixels, 2 for 64."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak of the step size of the pyramid, in place of `train.learning_rate`."""
    backbone_rate: float = Field(default=0.1, ge=0, le=1)
    """Step size of the backbone, as a share of the pyramid's; 0 keeps its weights."""


class ClassifierParams(Params):
    """Size of the classifier."""

    width: int = Field(default=32, ge=4, le=512)
    """Channels of the first block; they double at each pooling."""
    poolings: int = Field(default=3, ge=1, le=5)
    """Times that the resolution is halved."""
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Share of the features that a training step leaves out before the last layer."""


class DetectorParams(Params):
    """Size of the detectors, and which boxes they report."""

    width: int = Field(default=32, ge=8, le=512)
    """Channels of the first layer of `ssd_small`; its feature maps have twice as many."""
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.15, 0.3, 0.6), min_length=1, max_length=4
    )
    """Of `ssd_small`: side of the square default boxes of each feature map, as a share of the image's shorter side. The
    first map has a place every 4 pixels, each further one half as many along each side."""
    aspects: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(1.0, 2.0, 0.5), min_length=1)
    """Of `ssd_small`: width divided by height of the default boxes."""
    side: int = Field(default=320, ge=32, le=1333)
    """Of `fasterrcnn`: pixels of the shorter side that images are scaled to; its anchors have 32 to 512 pixels."""
    score_threshold: float = Field(default=0.01, ge=0, lt=1)
    """Boxes with a lower score are not reported."""
    nms_iou: float = Field(default=0.45, gt=0, le=1)
    """Of two boxes of one class that overlap by more than this, the one with the lower score is dropped."""
    most: int = Field(default=100, ge=1, le=100)
    """Boxes reported of one image, at most; the mean average precision of COCO looks at 100."""
    shown_from: float = Field(default=0.3, ge=0, le=1)
    """Boxes with a lower score are left out of pictures."""

    @field_validator("scales")
    @classmethod
    def _growing(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(scales)):
            raise ValueError("each scale must be larger than the one before")
        return scales


class MeanTeacherParams(Params):
    """The recipe `mean_teacher`: agreement with the moving average of the weights (`ema`) on unlabelled images."""

    weight: Literal["auto"] | float = "auto"
    """Of the disagreement, beside the losses on labelled images; auto: 1 for keypoints, where it is a loss of the same
    kind, else 3."""
    ramp: float = Field(default=0.3, gt=0, le=1)
    """Share of the steps over which this weight rises to its value."""
    unlabeled: float = Field(default=1.0, gt=0, le=8)
    """Images without labels that join each update, as a share of `batch`; the labelled ones stay as many as in other
    recipes."""

    @field_validator("weight", mode="before")
    @classmethod
    def _weight(cls, weight: object) -> object:
        number = weight if isinstance(weight, int | float) and not isinstance(weight, bool) else -1
        if weight != "auto" and not 0 <= number < math.inf:
            raise ValueError("must be auto, or a number from 0, such as 3.0")
        return weight


class TrainParams(Params):
    """The target model: every recipe trains it with the same budget, augmentation and selection."""

    target: str = "auto"
    """`unet`, `deeplabv3`, `gaze_cnn`, `hourglass`, `depth_unet`, `classifier`, `ssd_small`, `ssd300`, `fasterrcnn`,
    `fpn`, `fpn_keypoints`, `fpn_depth`, which start from ImageNet's weights, or `auto`: the gaze network for data with
    gaze, the hourglass for keypoints without classes, `depth_unet` for depth without either, the classifier for classes
    of images, the small SSD for boxes, else the U-Net below 128 pixels of height or width and DeepLab-V3 from there
    on."""
    unet: UNetParams = UNetParams()
    deeplab: DeepLabParams = DeepLabParams()
    hourglass: HourglassParams = HourglassParams()
    keypoints: KeypointParams = KeypointParams()
    transfer: TransferParams = TransferParams()
    mean_teacher: MeanTeacherParams = MeanTeacherParams()
    classifier: ClassifierParams = ClassifierParams()
    detector: DetectorParams = DetectorParams()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    """One model each; the shared seed is added."""
    steps: int = Field(default=600, ge=1)
    """Weight updates of each seed."""
    batch: int = Field(default=32, ge=2)
    """Images of one update."""
    real_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of real rows in every batch of a recipe that joins real and made ones."""
    real_steps: int = Field(default=0, ge=0)
    """First updates of such a recipe that see real rows alone, so that the rest is a fine-tuning; part of `steps`."""
    learning_rate: float = Field(default=8e-3, gt=0)
    """Peak of AdamW's step size: linear warm-up over the first 5 % of the steps, then a cosine to 0."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Of AdamW; on the convolutions' weights alone."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target's probability that is spread over all classes."""
    dice: float = Field(default=1.0, ge=0)
    """Weight of the Dice loss beside the cross-entropy, whose weight is 1."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs a class by the inverse root of its share of the training pixels, or images for a classifier;
    detectors do without."""
    ema: float = Field(default=0.98, ge=0, lt=1)
    """Decay a step of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    augment: AugmentParams = AugmentParams()
    validate_every: int = Field(default=100, ge=1)
    """Steps between two looks at the validation images."""
    select: Literal["best", "last"] = "best"
    """Which weights are kept: the best on the validation images, or the last; without validation images the last."""
    patience: int = Field(default=0, ge=0)
    """Looks without a better value after which a seed stops; 0 never stops, so that all recipes get the same steps."""
    checkpoints: int = Field(default=0, ge=0, le=100)
    """Weights kept beside those of `select`, evenly spaced over the steps, the last ones among them, also where
    `patience` ends a seed; `evaluate.folds` chooses from them."""
    save_every: int = Field(default=200, ge=1)
    """Steps between two savings of the training state, from which a killed run goes on."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 autocast on a GPU or CPU with instructions for it, fp32 elsewhere."""

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed once, for a second one of the same number trains the same model")
        return seeds

    @model_validator(mode="after")
    def _steps_left_for_made_ones(self) -> "TrainParams":
        if self.real_steps >= self.steps:
            raise ValueError(f"real_steps must be below steps, {self.steps}, not {self.real_steps}")
        return self

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """The steps after which weights are kept for `evaluate.folds`."""
        return tuple(sorted({max(round(self.steps * n / self.checkpoints), 1) for n in range(1, self.checkpoints + 1)}))
