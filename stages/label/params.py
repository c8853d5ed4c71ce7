"""Parameters of the label generator."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Params

Precision = Literal["float32", "float16"]
Width = Annotated[int, Field(ge=1)]


class LabelParams(Params):
    """An ensemble of per-pixel MLPs over the generator's features (DatasetGAN, HandsOff)."""

    members: int = Field(default=10, ge=2)  # their disagreement is the uncertainty
    context: bool = False  # give every pixel the means of all feature maps beside the features at its place
    # Units of the two hidden layers; auto: what DatasetGAN takes, [128, 32], from 32 classes on [256, 128].
    hidden: Literal["auto"] | tuple[Width, Width] = "auto"
    sigma: float = Field(default=1.5, gt=0.3)  # of the Gaussian that marks a keypoint, in pixels
    # A keypoint whose mean heat map nowhere reaches this height, of 1, is labelled as unknown: no image need show all.
    least_peak: float = Field(default=0.1, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)  # share of feature maps blanked for a pixel while training
    steps: int = Field(default=1500, ge=1)
    batch: int = Field(default=256, ge=2)  # pixels a member and step
    learning_rate: float = Field(default=0.001, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    pixels_per_image: int = Field(default=256, ge=1)
    precision: Precision = "float32"  # that the features of these pixels are kept in; training computes in float32
    # Share of an image's pixels drawn evenly over its classes; the rest is drawn evenly over its area. One pixel of
    # every connected region comes first.
    balanced_share: float = Field(default=0.5, ge=0, le=1)
    drop_flagged: bool = True  # leave out labelled images whose reconstruction `invert` flagged
    # Cross-validation over the labelled images: 0 leaves it out, their number or more is leave-one-out.
    folds: int = Field(default=5, ge=0)
    fold_members: int = Field(default=3, ge=1)
    save_every: int = Field(default=250, ge=1)  # steps
    log_every: int = Field(default=50, ge=1)  # steps

    @field_validator("hidden", mode="before")
    @classmethod
    def _two_layers(cls, hidden: object) -> object:
        widths = list(hidden) if isinstance(hidden, list | tuple) else []
        if hidden != "auto" and not (len(widths) == 2 and all(type(width) is int and width > 0 for width in widths)):
            raise ValueError("must be auto, or the units of the two hidden layers, such as [256, 32]")
        return hidden
