"""One look at every cut-out and background on its way to the disk."""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field

import numpy as np

from stages.common.errors import UserError
from stages.common.progress import tracked
from stages.common.spec import DatasetSpec
from stages.prepare.cutouts.canvas import SOLID
from stages.prepare.duplicates import Copy, HeldOut
from stages.prepare.records import BadFileError, Pixels, Record

Check = Callable[[Record, Pixels, DatasetSpec], None]
Read = tuple[Record, Pixels]


@dataclass(frozen=True)
class Inspection:
    """Reads each file once and gives those that can be used. Bad files end it, or with `quarantine` are left out.

    classes: whether they are learnt, so that each needs a cut-out. bad: (file, reason) of those left out so far.
    copies: what backgrounds that were left out are copies of.
    """

    spec: DatasetSpec
    quarantine: bool
    held_out: HeldOut
    classes: bool = True
    bad: list[tuple[str, str]] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)

    def foregrounds(self, records: Iterable[Record]) -> Iterator[Read]:
        """The cut-outs. Raises UserError, at the end, for a learnt class that none of them shows; without any all is
        well."""
        seen: set[int | None] = set()
        before = len(self.bad)
        if isinstance(records, Sized):
            records = tracked(records, "write foregrounds", len(records), "foreground")
        for record, pixels in self._readable(records, check_foreground):
            seen.add(pixels.class_id)
            yield record, pixels
        for class_id in self.spec.foreground if self.classes else ():
            if (seen or len(self.bad) > before) and class_id not in seen:
                raise UserError(
                    f"class {self.spec.classes[class_id]}: no foreground shows it; add a cut-out of it, or set "
                    "prepare.foregrounds.source to none"
                )

    def backgrounds(self, records: Iterable[Record]) -> Iterator[Read]:
        """The backgrounds, file by file. Of a file that shows a copy of a held-out image anywhere there are none."""
        files: dict[str, list[Record]] = {}
        for record in records:
            files.setdefault(record.file, []).append(record)
        for file, group in tracked(files.items(), "write backgrounds", len(files), "file"):
            found = list(self._readable(group, check_size))
            parts = group[0].parts() if found and group[0].parts else []
            if copies := self.held_out.copies(file, *(pixels.image for _, pixels in found), *parts):
                self.copies.extend(copies)
            else:
                yield from found

    def _readable(self, records: Iterable[Record], check: Check) -> Iterator[Read]:
        for record in records:
            try:
                pixels = record.read()
                check(record, pixels, self.spec)
            except BadFileError as error:
                if not self.quarantine:
                    raise
                self.bad.append((error.file, error.reason))
                continue
            yield record, pixels


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
