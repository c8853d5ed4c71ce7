"""One look at every cut-out and background before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.common.errors import UserError
from stages.common.progress import tracked
from stages.common.spec import DatasetSpec
from stages.prepare.cutouts.canvas import SOLID
from stages.prepare.records import BadFileError, Pixels, Record

Check = Callable[[Record, Pixels], None]


@dataclass(frozen=True)
class Cutouts:
    """foregrounds, backgrounds: those that can be used. bad: (file, reason) of those left out."""

    foregrounds: list[Record]
    backgrounds: list[Record]
    bad: list[tuple[str, str]]


def checked(
    foregrounds: Sequence[Record], backgrounds: Sequence[Record], spec: DatasetSpec, quarantine: bool
) -> Cutouts:
    """Read each once. With `quarantine`, bad files are left out and listed.

    Raises UserError for the first bad file otherwise, and for a class that none of the cut-outs shows.
    """
    seen: set[int] = set()

    def look(record: Record, pixels: Pixels) -> None:
        check_foreground(record, pixels, spec)
        assert pixels.class_id is not None
        seen.add(pixels.class_id)

    fronts, bad = _usable(foregrounds, look, quarantine, "foreground")
    grounds, worse = _usable(
        backgrounds, lambda record, pixels: check_size(record, pixels, spec), quarantine, "background"
    )
    for class_id in spec.foreground:
        if foregrounds and class_id not in seen:
            raise UserError(
                f"class {spec.classes[class_id]}: no foreground shows it; add a cut-out of it, or set "
                "prepare.foregrounds.source to none"
            )
    return Cutouts(fronts, grounds, bad + worse)


def _usable(
    records: Sequence[Record], check: Check, quarantine: bool, unit: str
) -> tuple[list[Record], list[tuple[str, str]]]:
    kept: list[Record] = []
    bad: list[tuple[str, str]] = []
    for record in tracked(records, "look", len(records), unit):
        try:
            check(record, record.read())
            kept.append(record)
        except BadFileError as error:
            if not quarantine:
                raise
            bad.append((error.file, error.reason))
    return kept, bad


def check_size(record: Record, pixels: Pixels, spec: DatasetSpec) -> None:
    """Raises BadFileError for an image of another size or other channels than the data set's."""
    if pixels.image.shape != (*spec.size, spec.channels):
        found, wanted = (" x ".join(map(str, shape)) for shape in (pixels.image.shape, (*spec.size, spec.channels)))
        raise BadFileError(
            record.file, f"{found} (height x width x channels), but the data set has {wanted}; replace it"
        )


def check_foreground(record: Record, pixels: Pixels, spec: DatasetSpec) -> None:
    """Raises BadFileError for a cut-out without a solid pixel, UserError for one of no known class."""
    check_size(record, pixels, spec)
    if pixels.alpha is None or not np.any(pixels.alpha >= SOLID):
        raise BadFileError(
            record.file, f"nothing of it is solid (alpha {SOLID} or more); save it with the object opaque, or remove it"
        )
    if pixels.class_id not in spec.foreground:
        raise UserError(
            f"{record.file}: class {pixels.class_id} is none of the {len(spec.foreground)} foreground classes"
        )
