"""Scenes to find digits in: MNIST's digits in photographs, with their boxes.

`test` has digits and photographs that nothing else shows. `labeled` and `unlabeled` have training digits in training
photographs, and so has `val`, with digits of its own. The cut-outs are the training digits, the backgrounds parts of
the training photographs.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from stages.common.spec import DatasetSpec
from stages.prepare.cutouts import spread
from stages.prepare.cutouts.canvas import on_canvas
from stages.prepare.cutouts.objects import ink
from stages.prepare.cutouts.photos import HELD_OUT, TRAINING, Photo, large_enough, photo_records, random_part
from stages.prepare.params import PrepareParams
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.digit_piles import DigitPile, digit_piles
from stages.prepare.sources.digits import CLASSES
from stages.prepare.sources.scenes import dimmed, draw_scene

SIZE = (96, 96)
MOST = 3  # digits in a scene
LABELED, UNLABELED, BACKGROUNDS = 500, 1000, 500  # where the params say null: there is no end to scenes
# More than asked for, because one that looks like a held-out scene is left out.
SPARE = 2


class Stock(NamedTuple):
    """What the scenes of one set are made of."""

    pool: str
    pile: DigitPile
    rows: list[np.ndarray]
    photos: tuple[Photo, ...]
    spec: DatasetSpec


def read_source(params: PrepareParams, seed: int) -> Source:
    """As many scenes of each set as asked for, training cut-outs and training backgrounds."""
    spec = DatasetSpec(name="digit_scenes", size=params.resize or SIZE, channels=1, classes=CLASSES, labels="boxes")
    piles = digit_piles(params)
    labeled = LABELED if params.labeled is None else params.labeled * SPARE
    counts = {
        "unlabeled": UNLABELED if params.unlabeled is None else params.unlabeled * SPARE,
        "labeled": labeled,
        "val": params.val,
        "test": params.test,
    }
    records = []
    for pool, count in counts.items():
        pile = piles.get(pool, piles["labeled"])
        records += scene_records(stock(pool, pile, spec), count, seed, params.group_pattern)
    count = params.backgrounds.count or BACKGROUNDS
    backgrounds = [replace(one, read=partial(_at_dusk, one)) for one in photo_records(spec, count, seed)]
    foregrounds = cut_records(piles["labeled"], spec, params.foregrounds.largest)
    return Source(
        spec, records, foregrounds=spread(foregrounds, params.foregrounds.count), backgrounds=backgrounds,
        backdrop="own",
    )  # fmt: skip


def stock(pool: str, pile: DigitPile, spec: DatasetSpec) -> Stock:
    """The digits of a pile by class, and the photographs that go with the set."""
    photos = large_enough(HELD_OUT if pool == "test" else TRAINING, spec)
    return Stock(pool, pile, [np.flatnonzero(pile.digits == digit) for digit in range(10)], photos, spec)


def scene_records(made_of: Stock, count: int, seed: int, pattern: str | None) -> list[Record]:
    """Records of the first `count` scenes of a set."""
    pool, names = made_of.pool, [f"{made_of.pool}-scene-{number:06d}" for number in range(count)]
    return [
        Record(name, pool, group_of(name, pool, pattern), name, partial(read_scene, made_of, seed, number))
        for number, name in enumerate(names)
    ]


def read_scene(made_of: Stock, seed: int, number: int) -> Pixels:
    """Scene `number` of a set: one to three digits, of which the first classes take turns."""
    random = np.random.default_rng([seed, *b"scene", *made_of.pool.encode(), number])
    classes = [number % 10, *random.integers(10, size=int(random.integers(MOST)))]
    rows = [int(random.choice(made_of.rows[digit])) for digit in classes]
    photo = random_part(made_of.photos[int(random.integers(len(made_of.photos)))], made_of.spec, random)
    pile = made_of.pile
    return draw_scene(photo[:, :, 0], [(pile.images[row], int(pile.digits[row])) for row in rows], random)


def cut_records(pile: DigitPile, spec: DatasetSpec, largest: float) -> list[Record]:
    """A cut-out of each digit."""
    return [
        Record(name, "foregrounds", f"foregrounds/{name}", name, partial(read_cut, image, int(digit), spec, largest))
        for image, digit, name in zip(*pile, strict=True)
    ]


def read_cut(image: np.ndarray, digit: int, spec: DatasetSpec, largest: float) -> Pixels:
    """A digit's ink in the middle of a frame of the scenes' size."""
    return on_canvas(ink(Pixels(image[:, :, None], class_id=digit + 1)), spec.size, largest)


def _at_dusk(record: Record) -> Pixels:
    pixels = record.read()
    return pixels._replace(image=dimmed(pixels.image))
