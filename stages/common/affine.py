"""Ranges of random affine maps; apart from the maps themselves, so that params are read without torch."""

from pydantic import Field

from stages.common.params import Params


class AffineParams(Params):
    """Ranges of random affine maps; each is drawn evenly from minus to plus its value."""

    rotate: float = Field(default=10.0, ge=0, le=180)  # degrees
    scale: float = Field(default=0.1, ge=0, lt=1)  # zoom by up to 1 + scale, or its inverse
    shear: float = Field(default=5.0, ge=0, lt=60)  # degrees
    shift: float = Field(default=0.05, ge=0, le=1)  # share of the side
    flip: bool = False  # mirror left to right, half of the time
