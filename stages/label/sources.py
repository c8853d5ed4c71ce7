"""Where the labelled latents that a recipe's label generator learns from come from, and where it is kept."""

from dataclasses import dataclass
from pathlib import Path

from stages.common.paths import publish, write_atomically
from stages.common.samples import read_index

MODELS, REPORTS = Path("models/label"), Path("reports/label")


@dataclass(frozen=True)
class Source:
    """data: a set of labelled images with their latents. stage: that makes it."""

    data: Path
    stage: str


SOURCES = {
    "gan": Source(Path("data/invert"), "invert"),
    "annotated": Source(Path("data/annotate/annotated"), "annotate"),
}


def is_empty(source: Source) -> bool:
    """Whether there is no labelled image to learn from."""
    return not len(read_index(source.data))


def write_nothing(recipe: str) -> None:
    """The outputs of a recipe without labelled images: folders without weights and pictures, no figures."""
    with publish(MODELS / recipe), publish(REPORTS / recipe / "pictures"):
        write_atomically(REPORTS / recipe / "metrics.json", b"{}")
