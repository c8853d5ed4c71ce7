"""What each figure means, for a reader who sees it for the first time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.evaluate.meanings import STAGE_MEANINGS
from stages.evaluate.target_meanings import TARGET_MEANINGS

MEANINGS = STAGE_MEANINGS | TARGET_MEANINGS

# Start and end of the name, label of what is between them, unit, meaning.
FAMILIES: tuple[tuple[str, str, str, str, str], ...] = (
    ("label/iou_cv/", "", "{}", "0 to 1", "Cross-validated overlap of generated and true labels of this class."),
    ("label/accuracy_cv/", "", "{}", "0 to 1", "The same, of the images of this class."),
    ("refine/told_", "", "{}", "", "Ends of its 95 % interval, or the images that were asked about."),
    ("invert/", "", "{}", "", "Of rebuilding the labelled images with the GAN."),
    (
        "target/pck_",
        "px",
        "PCK within {} px",
        "share, 0 to 1",
        "Share of the known keypoints found within so many pixels.",
    ),
)


@dataclass(frozen=True)
class Figure:
    """One number ready to show."""

    name: str
    label: str
    value: str
    unit: str
    meaning: str


def explain(metrics: Mapping[str, Any]) -> list[Figure]:
    """The numbers among the metrics, with what they mean; a name without an entry is shown as it is."""
    return [_figure(n, v) for n, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)]


def _figure(name: str, value: float) -> Figure:
    return meaning_of(name, number(value))


def meaning_of(name: str, shown: str = "") -> Figure:
    """What a figure is called and what it means, beside its value as text."""
    if name in MEANINGS:
        return Figure(name, MEANINGS[name][0], shown, MEANINGS[name][1], MEANINGS[name][2])
    short = name.partition("/")[2] or name
    if short.endswith("seconds"):
        return Figure(name, short, shown, "s", "Time it took.")
    for start, end, label, unit, meaning in FAMILIES:
        if name.startswith(start) and name.endswith(end):
            return Figure(name, label.format(name.removeprefix(start).removesuffix(end)), shown, unit, meaning)
    return Figure(name, short.replace("_", " ").replace("/", ": "), shown, "", "")


def number(value: float) -> str:
    """Four significant digits, whole numbers in full with separators."""
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"
