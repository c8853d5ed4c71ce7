"""The section `refine` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from stages.common.params import Params


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even; a filter needs an odd side, or images would grow or move")
    return value


Odd = Annotated[int, Field(ge=1, le=15), AfterValidator(_odd)]


class RefinerParams(Params):
    """Size of the refiner: a residual network without strides and pooling, so that it edits pixels and keeps layout."""

    width: int = Field(default=64, ge=1)
    """Channels of every layer but the last."""
    blocks: int = Field(default=4, ge=1)
    """Residual blocks of two convolutions each."""
    first_kernel: Odd = 3
    """Side of the first convolution's filters."""
    kernel: Odd = 3
    """Side of the filters inside of the blocks."""
    grain: float = Field(default=0.0, ge=0)
    """Deviation of the normal noise added to its input, of values in [-1, 1]; 0 as published. A clean rendering holds
    nothing from which a network without noise could make the grain of a camera or of skin."""


class WarpParams(Params):
    """The network that bends images and their labels before they are refined; not in the article."""

    pixels: float = Field(default=0.0, ge=0)
    """How far a point moves at most along each axis; 0 goes without, as published."""
    spacing: int = Field(default=4, ge=1)
    """Pixels between the knots of the field."""
    width: int = Field(default=32, ge=1)
    """Channels of its layers."""
    weight: float = Field(default=0.1, ge=0)
    """Of the mean squared displacement, as a share of the largest, beside the mean cross-entropy of a patch."""


class LayerParams(Params):
    """One layer of the discriminator: a convolution to `width` channels, or a max pooling where width is 0."""

    kernel: Odd
    stride: int = Field(default=1, ge=1)
    width: int = Field(default=0, ge=0)


EYES = (
    LayerParams(kernel=3, stride=2, width=96),
    LayerParams(kernel=3, stride=2, width=64),
    LayerParams(kernel=3, stride=1),
    LayerParams(kernel=3, stride=1, width=32),
    LayerParams(kernel=1, stride=1, width=32),
)


class DiscriminatorParams(Params):
    """The discriminator: its layers before the two class scores, and what it decides on."""

    layers: tuple[LayerParams, ...] = Field(default=EYES, min_length=1)
    noise: float = Field(default=0.0, ge=0)
    """Deviation of the normal noise added to all that it sees, of values in [-1, 1]. Real images that are exactly black
    in places would else give themselves away, whatever the refiner does."""
    gamma: float = Field(default=0.0, ge=0)
    """Weight of the penalty on its gradient at real images (R1, Mescheder et al., 2018); 0 as published."""
    scope: Literal["local", "global"] = "local"
    """`local`: one decision a patch, as published. `global`: one an image, for the ablation."""

    @field_validator("layers")
    @classmethod
    def _convolves(cls, layers: tuple[LayerParams, ...]) -> tuple[LayerParams, ...]:
        if not any(layer.width for layer in layers):
            raise ValueError("layers of pooling alone; give at least one a width, which makes it a convolution")
        return layers


class OptimiserParams(Params):
    """How both networks take their steps; a constant rate."""

    kind: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.001, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Of SGD, or the first beta of Adam."""
    discriminator_rate: float | None = Field(default=None, gt=0)
    """Learning rate of the discriminator; null takes the same."""


class HistoryParams(Params):
    """The buffer of refined images of the past, of which half of every batch of the discriminator's fakes comes."""

    capacity: int = Field(default=5120, ge=0)
    """Images; 0 goes without, for the ablation."""

    @model_validator(mode="after")
    def _not_one(self) -> "HistoryParams":
        if self.capacity == 1:
            raise ValueError("capacity: 1 image is no history; take 0 or at least half a batch")
        return self


class PretrainingParams(Params):
    """Steps before the two networks meet."""

    refiner: int = Field(default=1000, ge=0)
    """With the self-regularisation alone, until the refiner gives back its input."""
    discriminator: int = Field(default=200, ge=0)
    """On the images of that refiner."""


class ShiftParams(Params):
    """The fixed segmenter that measures how far refining moves the labels."""

    classes: tuple[str, ...] = ()
    """The classes whose place is watched, such as [iris, pupil]; empty for all but the background."""
    width: int = Field(default=16, ge=1)
    """Channels of its layers."""
    steps: int = Field(default=300, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.01, gt=0)


class TwoSampleParams(Params):
    """The classifier that is asked to tell real from made images."""

    images: int = Field(default=2000, ge=20)
    """Of each kind, half to learn from and half to be asked about."""
    width: int = Field(default=16, ge=1)
    steps: int = Field(default=200, ge=1)
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=0.004, gt=0)


class RefineParams(Params):
    """The refiner that makes simulated images look real (SimGAN). Steps are counted in updates of the refiner."""

    steps: int = Field(default=2000, ge=1)
    """Updates of the refiner after pre-training."""
    batch: int = Field(default=32, ge=2)
    """Simulated, and as many real, images in an update; even, for half comes from the history."""
    refiner_steps: int = Field(default=2, ge=1)
    """K_g: updates of the refiner in a round."""
    discriminator_steps: int = Field(default=1, ge=1)
    """K_d: updates of the discriminator in a round."""
    self_regularisation: float = Field(default=8.0, ge=0)
    """lambda: weight of the mean distance to the input beside the mean cross-entropy of a patch. Means, so that the
    value carries over to other sizes and batches; 0 goes without, for the ablation."""
    loss: Literal["cross_entropy", "relativistic"] = "cross_entropy"
    """`cross_entropy` as published; `relativistic` compares each refined patch with a real one at its place."""
    psi: Literal["identity", "channel_mean", "gradients", "level"] = "identity"
    """What of the image shall stay: its pixels, their mean over the channels, their differences to neighbours, or on
    which side of mid grey they lie (for labels that are a threshold of the image)."""
    refiner: RefinerParams = RefinerParams()
    warp: WarpParams = WarpParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    history: HistoryParams = HistoryParams()
    pretraining: PretrainingParams = PretrainingParams()
    optimiser: OptimiserParams = OptimiserParams()
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay a step of the moving average of the refiner's weights that is kept; 0 keeps the last weights, as published.
    """
    shift: ShiftParams = ShiftParams()
    two_sample: TwoSampleParams = TwoSampleParams()
    log_every: int = Field(default=50, ge=1)
    """Steps between two lines of stats.jsonl."""
    sample_every: int = Field(default=500, ge=1)
    """Steps between two pictures of the same simulated images."""
    save_every: int = Field(default=200, ge=1)
    """Steps between two savings of the training state, from which a killed run goes on."""

    @model_validator(mode="after")
    def _even_batch(self) -> "RefineParams":
        if self.batch % 2:
            raise ValueError(f"batch: {self.batch} is odd, but half of it comes from the history")
        if 0 < self.history.capacity < self.batch // 2:
            raise ValueError(f"history.capacity: {self.history.capacity} is less than half a batch of {self.batch}")
        return self
