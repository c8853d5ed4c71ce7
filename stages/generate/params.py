"""Parameters of the labelled dataset that the generator makes."""

from pydantic import Field

from stages.common.params import Params


class GenerateParams(Params):
    """How many samples, from which latents, how many of them are dropped for their uncertainty."""

    # That are kept. The recipes `simulated` and `refined` take the first so many of what the simulator drew, so
    # prepare.simulated bounds them too; `real` takes all labelled images.
    samples: int = Field(default=5000, ge=1)
    drop_share: float = Field(default=0.1, ge=0, lt=1)  # of those drawn, the most uncertain
    # Drop that share within each main class (the class with the most pixels but the background), so that classes that
    # are easy to label do not crowd out the others.
    drop_within_classes: bool = True
    psi: float = Field(default=0.7, gt=0, le=1)  # truncation
    # Replace each drawn latent by the one that the encoder finds for its image: the labels were learnt from latents
    # found by it and then optimised. False labels the drawn latents themselves, as published. For the recipe
    # `annotated` annotate.reencode decides, for its labels were learnt from latents drawn like that.
    reencode: bool = True
    # An image's score is the mean of this share of its most uncertain pixels; keypoints are scored by their peaks.
    score_share: float = Field(default=0.1, gt=0, le=1)
    ignore_above: float | None = Field(default=None, gt=0)  # pixels with more uncertainty (nats) are labelled 255
    shard_size: int = Field(default=1000, ge=1)
    batch: int = Field(default=64, ge=1)
