"""Parameters of the inversion of labelled images into the GAN."""

from typing import Literal

from pydantic import Field, model_validator

from stages.common.affine import AffineParams
from stages.common.params import Params

Perceptual = Literal["discriminator", "efficientnet", "lpips_alex", "lpips_vgg"]


class EncoderParams(Params):
    """The encoder and its two phases; steps of the second are capped, for a perceptual loss is far from convex."""

    channel_base: int = Field(default=512, ge=32)
    channel_limit: int = Field(default=128, ge=4)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)  # of layers with equalised learning rate, so larger than usual
    regress_steps: int = Field(default=1500, ge=0)  # on generated images, whose latents are known
    finetune_steps: int = Field(default=300, ge=0, le=20_000)  # on real unlabelled images, by perceptual and pixel loss


class OptimiseParams(Params):
    """Adam on each image's own latents, from where the encoder put them."""

    steps: int = Field(default=200, ge=0)
    learning_rate: float = Field(default=0.05, gt=0)
    perceptual_weight: float = Field(default=10.0, ge=0)
    pixel_weight: float = Field(default=1.0, ge=0)
    start_weight: float = Field(default=1.0, ge=0)  # keeps latents near the start, so near what the generator knows
    batch: int = Field(default=256, ge=1)  # images optimised at once; all of them when there are no more


class ViewParams(Params):
    """Moved copies of each labelled image, inverted like the image itself: more latents from the same labels.

    They help where the GAN knows moved images, and harm where it saw aligned ones alone.
    """

    copies: int = Field(default=0, ge=0)
    affine: AffineParams = AffineParams()


class InvertParams(Params):
    """How labelled images become latents."""

    perceptual: Perceptual = "discriminator"
    backbone_weights: str | None = None  # a torchvision state dict, for lpips_alex and lpips_vgg
    encoder: EncoderParams = EncoderParams()
    optimise: OptimiseParams = OptimiseParams()
    views: ViewParams = ViewParams()
    reject_above: float = Field(default=2.5, gt=1)  # flagged: reconstruction error above this many times the median

    @model_validator(mode="after")
    def _lpips_needs_weights(self) -> "InvertParams":
        if self.perceptual.startswith("lpips") and not self.backbone_weights:
            raise ValueError("perceptual: lpips needs invert.backbone_weights, the path of a torchvision state dict")
        return self
