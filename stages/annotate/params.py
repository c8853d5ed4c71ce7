"""Parameters of the annotation of generated images."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from stages.common.affine import AffineParams
from stages.common.params import Params

Select = Literal["random", "coverage", "disagreement"]


class OracleParams(Params):
    """The classifier of digits that stands in for a person where `annotate.answers` is null."""

    width: int = Field(default=12, ge=1)  # channels of the first of three levels, each twice as wide as the one before
    steps: int = Field(default=300, ge=1)
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=0.003, gt=0)
    held_out: float = Field(default=0.2, gt=0, lt=1)  # share of the oracle's images that its accuracy is measured on
    affine: AffineParams = AffineParams(rotate=12, scale=0.15, shear=8, shift=0.08)


class AnnotateParams(Params):
    """Which images of the GAN are annotated, and where the annotations are (DatasetGAN, Zhang et al., CVPR 2021)."""

    candidates: int = Field(default=500, ge=2)
    """Images drawn, of which some are selected."""
    images: int = Field(default=50, ge=2)
    """Selected for annotation; the published ensembles learned from 16 to 40."""
    select: Select = "coverage"
    """random; coverage: far from one another in the discriminator's features (k-centre greedy), so that every kind of
    image is among them; disagreement: the same among the images that the members of the label generator of `gan` agree
    least on."""
    uncertain_share: float = Field(default=0.25, gt=0, le=1)
    """Of the candidates, the most uncertain, that `disagreement` selects from."""
    psi: float = Field(default=0.7, gt=0, le=1)
    """Truncation; as generate.psi, for labels hold for latents like those that they were learnt from."""
    reencode: bool = True
    """Replace each drawn latent by the one that the encoder finds for its image. `generate` then does the same for the
    recipe `annotated`, whatever generate.reencode says. False takes the drawn latents themselves, as published."""
    answers: Path | None = None
    """What came back: the export of Label Studio, CVAT or COCO (a file, its folder or .zip), or a folder of masks. The
    file latents.safetensors of the export that was annotated is looked for beside it and in the folder above. null: no
    person has annotated anything; digits are annotated by an oracle then."""
    oracle: OracleParams = OracleParams()
    batch: int = Field(default=64, ge=1)
    """Images drawn at once."""

    @model_validator(mode="after")
    def _enough_candidates(self) -> "AnnotateParams":
        if self.candidates < self.images:
            raise ValueError(f"candidates: {self.candidates}, but {self.images} images are to be selected from them")
        return self
