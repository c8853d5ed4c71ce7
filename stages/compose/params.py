"""The section `compose` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.common.params import Params
from stages.common.ranges import Scale, ordered

Blend = Literal["alpha", "hard", "feather", "gaussian", "poisson"]


Count = Annotated[
    tuple[Annotated[int, Field(ge=1, le=20)], Annotated[int, Field(ge=1, le=20)]], AfterValidator(ordered)
]


class PlacementParams(Params):
    """The range of every parameter of a placement; no placer leaves them."""

    rotate: float = Field(default=20.0, ge=0, le=180)
    """Degrees, either way."""
    shear: float = Field(default=0.2, ge=0, le=2)
    """Pixels to the side a pixel of height, either way."""
    scale_x: Scale = (0.8, 1.2)
    """Factor of the object's width."""
    scale_y: Scale = (0.8, 1.2)
    """Factor of its height."""
    shift: float = Field(default=1.0, ge=0, le=1)
    """Share of the free range to either side of the middle that the object's middle may take. The free range is what
    keeps the turned and scaled object in view; 0 puts it in the middle."""


class SynthesizerParams(Params):
    """Size of the network that places objects."""

    width: int = Field(default=16, ge=1)
    """Channels of its first convolution; they double at each of `levels`."""
    levels: int = Field(default=3, ge=1, le=6)
    """Times that the shared features halve the resolution."""
    hidden: int = Field(default=128, ge=1)
    """Units of the regressor's layers."""
    noise: int = Field(default=16, ge=0)
    """Dimensions of the noise that makes many placements of one pair; 0 goes without, for the ablation."""


class CriticParams(Params):
    """The discriminator of composites against real images: a decision a patch."""

    width: int = Field(default=32, ge=1)
    levels: int = Field(default=3, ge=1, le=6)
    gamma: float = Field(default=1.0, ge=0)
    """Weight of the penalty on the gradient of its mean decision at real images (R1, Mescheder et al., 2018)."""
    learning_rate: float = Field(default=0.0005, gt=0)


class WeightParams(Params):
    """Weights of what the synthesizer minimises."""

    target: float = Field(default=1.0, ge=0)
    """That the target model fails."""
    critic: float = Field(default=1.0, ge=0)
    """That the discriminator takes the composite for real; 0 goes without, for the ablation."""
    diversity: float = Field(default=1.0, ge=0)
    """That two draws of the noise place one pair differently."""
    saturation: float = Field(default=1.0, ge=0)
    """That no parameter is pressed against the end of its range, where the squash has no slope."""
    margin: float = Field(default=0.5, gt=0, le=2)
    """Mean distance of two such placements, each parameter in [-1, 1], from which on they count as different."""


class ContextParams(Params):
    """The model of where objects stand, for the placer `context`; it learns from labelled real images."""

    width: int = Field(default=16, ge=1)
    steps: int = Field(default=300, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.002, gt=0)
    candidates: int = Field(default=16, ge=1)
    """Evenly drawn places of an object, of which one is drawn by the model's probability of the object's class."""


class ComposeParams(Params):
    """How cut-out objects are put on backgrounds, and how the network that does it learns."""

    placer: Literal["learned", "random", "context"] = "learned"
    """learned: the synthesizer. random: evenly from the ranges (Dwibedi et al., 2017). context: one of several evenly
    drawn places, chosen by a model of where objects of a class stand (Dvornik et al., 2018)."""
    objects: Count = (1, 1)
    """Fewest and most objects of an image."""
    placement: PlacementParams = PlacementParams()
    blends: tuple[Blend, ...] = Field(default=("alpha",), min_length=1)
    """Borders that are drawn from: alpha keeps the cut-out's, hard cuts at half opacity, feather and gaussian soften
    it, poisson fits the object's gradients into the background (when the set is made; in training it is as alpha)."""
    softness: float = Field(default=1.5, gt=0)
    """Deviation of the Gaussian border, and half the width of the feathered one, in pixels."""
    artefacts: float = Field(default=0.0, ge=0, le=1)
    """Share of the backgrounds that first get a piece of another background pasted in the shape of an object, so that a
    border alone tells nothing."""
    min_visible: float = Field(default=0.5, ge=0, le=1)
    """Share of an object that later ones must leave uncovered; an object that would hide more is left out."""
    steps: int = Field(default=400, ge=1)
    """Rounds: the synthesizer with target and discriminator frozen, then these two with the synthesizer frozen."""
    warm_up: int = Field(default=200, ge=1)
    """Updates of the target on labelled real images before the rounds begin."""
    snapshots: int = Field(default=8, ge=1)
    """Synthesizers kept, evenly over the rounds, which make the composites in turn: each knows where the target failed
    in its time, the last alone only where it fails in the end."""
    synthesizer_steps: int = Field(default=1, ge=1)
    target_steps: int = Field(default=1, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.0005, gt=0)
    """Of the synthesizer (Adam)."""
    synthesizer: SynthesizerParams = SynthesizerParams()
    critic: CriticParams = CriticParams()
    weights: WeightParams = WeightParams()
    context: ContextParams = ContextParams()
    hardness_cap: float = Field(default=3.0, gt=0)
    """Loss of the target on a composite, in multiples of the batch's mean, from which on it counts as hard enough and
    teaches the synthesizer no more."""
    log_every: int = Field(default=20, ge=1)
    sample_every: int = Field(default=100, ge=1)
    save_every: int = Field(default=100, ge=1)
