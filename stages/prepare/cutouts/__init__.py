"""What compositing pastes, and what it pastes on: cut-outs of objects, and backgrounds without them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from stages.common.errors import UserError
from stages.common.progress import tracked
from stages.prepare.cutouts.objects import cut_objects
from stages.prepare.cutouts.photos import black_record, photo_records
from stages.prepare.params import PrepareParams
from stages.prepare.records import Record, Source

Item = TypeVar("Item")


def foreground_records(params: PrepareParams, source: Source, labeled: Sequence[Record]) -> Iterable[Record]:
    """The cut-outs: those that the source brings, or those of the images that ended in `labeled`, which are read one by
    one as the cut-outs are asked for.

    Never of val or test, for only these records are cut. Raises UserError when the source has none of the kind.
    """
    wanted = params.foregrounds
    if wanted.source == "none":
        return []
    if wanted.source != "labeled" and source.foregrounds:
        return spread(source.foregrounds, wanted.count)
    if wanted.source == "folder":
        raise UserError(f"prepare.foregrounds.source: folder, but source {params.source} has none; take auto")
    if wanted.source == "auto" and source.cut is None:
        return []
    return islice(_cut(source.cut or _cutter(params, source), labeled), wanted.count)


def _cut(cut: Callable[[Record], list[Record]], labeled: Sequence[Record]) -> Iterator[Record]:
    for record in tracked(labeled, "cut", len(labeled), "image"):
        yield from cut(record)


def _cutter(params: PrepareParams, source: Source) -> "partial[list[Record]]":
    spec = source.spec
    if spec.labels != "masks" or not spec.classes:
        raise UserError(
            f"prepare.foregrounds.source: labeled cuts objects out by their masks, and {spec.name} has none; take auto"
        )
    return partial(cut_objects, largest=params.foregrounds.largest)


def background_records(params: PrepareParams, source: Source, seed: int) -> list[Record]:
    """The backgrounds that the params name. Raises UserError when the source has none of the kind."""
    wanted = params.backgrounds
    name = wanted.source if wanted.source != "auto" else source.backdrop
    if name == "black":
        return [black_record(source.spec)]
    if name == "photos":
        if wanted.count is None:
            raise UserError("prepare.backgrounds.count: null, but photos gives as many as it is told; give a number")
        return photo_records(source.spec, wanted.count, seed)
    if name == "none":
        return []
    if wanted.source == "folder" and not source.backgrounds:
        raise UserError(f"prepare.backgrounds.source: folder, but source {params.source} has none; take auto")
    return source.backgrounds


def spread(items: Sequence[Item], count: int | None) -> list[Item]:
    """At most `count` items from all over the list: the first ones might be of one class alone."""
    if count is None or count >= len(items):
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]
