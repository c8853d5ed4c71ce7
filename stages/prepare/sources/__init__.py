"""Where images come from: one module a source, each with `read_source(params)`, or `read_source(params, seed)` where
some of its images are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from stages.prepare.params import PrepareParams
from stages.prepare.reading import resized
from stages.prepare.records import Pixels, Record, Source
from stages.prepare.sources import (
    ade20k,
    affnist,
    carparts,
    celebamask,
    cityscapes,
    coco,
    deepfashion,
    digit_scenes,
    digits,
    folder,
    mnist,
    mpiigaze,
    nyu,
    pascalpart,
    voc,
    w300,
)
from stages.prepare.sources.folder_cutouts import with_cutouts

READERS: dict[str, Callable[[PrepareParams], Source]] = {
    "digits": digits.read_source,
    "folder": folder.read_source,
    "mnist": mnist.read_source,
    "mpiigaze": mpiigaze.read_source,
    "nyu": nyu.read_source,
    "celebamask": celebamask.read_source,
    "w300": w300.read_source,
    "cityscapes": cityscapes.read_source,
    "carparts": carparts.read_source,
    "deepfashion": deepfashion.read_source,
    "pascalpart": pascalpart.read_source,
    "ade20k": ade20k.read_source,
}
DRAWERS: dict[str, Callable[[PrepareParams, int], Source]] = {
    "affnist": affnist.read_source,
    "digit_scenes": digit_scenes.read_source,
    "voc": voc.read_source,
    "coco": coco.read_source,
}


def open_source(params: PrepareParams, seed: int = 0) -> Source:
    """The source that the params name, at the size they ask for. Raises UserError when something is missing there."""
    name = params.source
    source = DRAWERS[name](params, seed) if name in DRAWERS else READERS[name](params)
    if params.resize is not None:
        source = _at_size(source, params.resize)
    return with_cutouts(source, params, seed) if name == "folder" else source


def _at_size(source: Source, size: tuple[int, int]) -> Source:
    simulate = None if source.simulate is None else partial(_simulated_at, source.simulate, size)
    return replace(
        source,
        spec=source.spec.model_copy(update={"size": size}),
        records=_resizing(source.records, size),
        simulated=_resizing(source.simulated, size),
        foregrounds=_resizing(source.foregrounds, size),
        backgrounds=_resizing(source.backgrounds, size),
        simulate=simulate,
    )


def _resizing(records: Sequence[Record], size: tuple[int, int]) -> list[Record]:
    return [replace(record, read=partial(_read_resized, record, size)) for record in records]


def _simulated_at(
    simulate: Callable[[Sequence[Record]], list[Record]], size: tuple[int, int], labeled: Sequence[Record]
) -> list[Record]:
    return _resizing(simulate(labeled), size)


def _read_resized(record: Record, size: tuple[int, int]) -> Pixels:
    return resized(record.read(), size)
