"""Parameters of the GAN and of its training."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from stages.common.params import Params

Precision = Literal["auto", "fp32", "bf16"]
Features = Literal["random_conv", "efficientnet", "inception"]
Operation = Literal["flip", "translation", "affine", "brightness", "contrast", "saturation", "cutout"]


class NetworkParams(Params):
    """Sizes of both networks. The image size and channels come from the dataset.

    A map after k doublings of the 4-pixel start has channel_base / (4 * 2^k) channels, at most channel_limit:
    32768 and 512 give StyleGAN2's config-f.
    """

    z_dim: int = Field(default=64, ge=2)
    w_dim: int = Field(default=128, ge=1)
    mapping_layers: int = Field(default=2, ge=1)
    # Learning rate of the mapping network over that of the rest: 0.01 as published, for millions of images; a short
    # run needs more, or the mapping stays at its random start.
    mapping_rate: float = Field(default=0.01, gt=0)
    channel_base: int = Field(default=512, ge=32)
    channel_limit: int = Field(default=128, ge=4)
    # Clusters of the training images that both networks are told of, for sets of several kinds with little in between,
    # such as digits; 0 as published, for sets of one kind, such as aligned faces.
    clusters: int = Field(default=0, ge=0)
    # `linear` as published; `tanh` for images with large areas of pure black or white, which a linear output can only
    # approach, so that the discriminator tells fakes by their background alone.
    output: Literal["linear", "tanh"] = "linear"


class PenaltyParams(Params):
    """gamma / 2 times the squared gradient norm, every `every` steps with `every` times the weight."""

    gamma: float = Field(default=0.5, ge=0)
    # Where gamma ends: it moves there geometrically over the first half of the run. R3GAN anneals it as well: strong
    # while fakes are easy to tell, weak when the discriminator needs its sharpness. Null keeps gamma.
    gamma_end: float | None = Field(default=None, gt=0)
    every: int = Field(default=8, ge=1)
    on_fakes: bool = True  # R2 beside R1, as R3GAN does


class AugmentParams(Params):
    """What the discriminator's input goes through: `diffaugment` always, `ada` with a strength that adapts."""

    policy: Literal["none", "diffaugment", "ada"] = "diffaugment"
    operations: tuple[Operation, ...] = ("translation",)
    ada_target: float = Field(default=0.6, gt=0, lt=1)
    ada_images: int = Field(default=500_000, ge=1)  # images in which the strength can go from 0 to 1


class MeasureParams(Params):
    """Distances between generated and real images: how many of each, and in which feature space."""

    samples: int = Field(default=2000, ge=50)
    features: Features = "random_conv"
    inception_weights: str | None = None  # a torchvision inception_v3 state dict, for `features: inception`
    neighbours: int = Field(default=5, ge=1)  # k of the manifold estimate in precision and recall

    @model_validator(mode="after")
    def _inception_needs_weights(self) -> "MeasureParams":
        if self.features == "inception" and not self.inception_weights:
            raise ValueError(
                "features: inception needs measure.inception_weights, the path of a torchvision state dict"
            )
        return self


class PretrainParams(Params):
    """How the GAN is trained, or which one is taken. Lengths count real images shown to the discriminator."""

    # A StyleGAN2 generator to take instead of training one: then only `measure` of this section acts.
    weights: Path | None = None
    network: NetworkParams = NetworkParams()
    loss: Literal["relativistic", "nonsaturating"] = "relativistic"
    images: int = Field(default=160_000, ge=1)
    batch: int = Field(default=32, ge=2)  # images a step over all processes
    accumulate: int = Field(default=1, ge=1)  # the batch is worked off in this many parts
    learning_rate: float = Field(default=0.002, gt=0)
    decay_share: float = Field(default=0.4, ge=0, le=1)  # share of the run at the end in which the rate falls to zero
    beta2: float = Field(default=0.99, ge=0, lt=1)
    penalty: PenaltyParams = PenaltyParams()
    style_mixing: float = Field(default=0.0, ge=0, le=1)  # share of fakes made from two latents
    augment: AugmentParams = AugmentParams()
    mirror: bool = False  # double the set by left-right mirrored images
    ema_half_life: int = Field(default=5_000, ge=1)  # images
    precision: Precision = "auto"
    channels_last: bool = True
    log_every: int = Field(default=50, ge=1)  # steps
    sample_every: int = Field(default=20_000, ge=1)  # images
    save_every: int = Field(default=10_000, ge=1)  # images
    measure: MeasureParams = MeasureParams()

    @model_validator(mode="after")
    def _ada_needs_absolute_logits(self) -> "PretrainParams":
        if self.augment.policy == "ada" and self.loss == "relativistic":
            raise ValueError(
                "augment.policy: ada reads the sign of the logits, which loss: relativistic leaves arbitrary; "
                "choose loss: nonsaturating or policy: diffaugment"
            )
        return self
