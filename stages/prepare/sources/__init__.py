"""Where images come from: one module a source, each with `read_source(params)`."""

from dataclasses import replace
from functools import partial

from stages.prepare.params import PrepareParams
from stages.prepare.reading import resized
from stages.prepare.records import Pixels, Record, Source
from stages.prepare.sources import digits, folder, mnist, mpiigaze, nyu

READERS = {
    "digits": digits.read_source,
    "folder": folder.read_source,
    "mnist": mnist.read_source,
    "mpiigaze": mpiigaze.read_source,
    "nyu": nyu.read_source,
}


def open_source(params: PrepareParams) -> Source:
    """The source that the params name, at the size they ask for. Raises UserError when something is missing there."""
    source, size = READERS[params.source](params), params.resize
    if size is None:
        return source
    records, simulated = (
        [replace(record, read=partial(_read_resized, record, size)) for record in part]
        for part in (source.records, source.simulated)
    )
    return Source(source.spec.model_copy(update={"size": size}), records, simulated)


def _read_resized(record: Record, size: tuple[int, int]) -> Pixels:
    return resized(record.read(), size)
