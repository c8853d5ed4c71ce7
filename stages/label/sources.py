"""Where the labelled latents that a recipe's label generator learns from come from, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path

from stages.common.errors import UserError

MODELS, REPORTS = Path("models/label"), Path("reports/label")


@dataclass(frozen=True)
class Source:
    """data: a set of labelled images with their latents. stage: that makes it."""

    data: Path
    stage: str


SOURCES = {"gan": Source(Path("data/invert"), "invert")}


def source_of(recipe: str) -> Source:
    """The source of a recipe. Raises UserError for a recipe whose labels no label generator makes."""
    if recipe not in SOURCES:
        raise UserError(f"--recipe: {recipe} has no label generator; the recipes that have one: {', '.join(SOURCES)}")
    return SOURCES[recipe]
