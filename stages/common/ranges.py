"""Pairs of numbers that params draw from evenly."""

from typing import Annotated

from pydantic import AfterValidator, Field


def ordered(values: tuple[float, float]) -> tuple[float, float]:
    """The pair. Raises ValueError when its first number is above its second."""
    if values[0] > values[1]:
        raise ValueError(f"[{values[0]}, {values[1]}] goes down; give the lower end first")
    return values


Range = Annotated[tuple[float, float], AfterValidator(ordered)]
Scale = Annotated[
    tuple[Annotated[float, Field(gt=0, le=4)], Annotated[float, Field(gt=0, le=4)]], AfterValidator(ordered)
]
