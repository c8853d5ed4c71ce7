"""affNIST (T. Tieleman): MNIST's digits turned, sheared, scaled and shifted in a frame of 40 x 40.

What is learned from are the digits as they are, in the middle of the frame; what is tested on are digits that no
training saw, each under an affine map of its own. With affNIST's own files in prepare.path these are read instead.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from stages.common.spec import DatasetSpec
from stages.prepare.compositing_params import AffnistParams
from stages.prepare.cutouts.objects import cut_ink
from stages.prepare.orders import even_order
from stages.prepare.params import PrepareParams
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.affine_digits import moved_digit
from stages.prepare.sources.affnist_mat import affnist_files, centred_digits, file_records
from stages.prepare.sources.digit_piles import DigitPile, digit_piles
from stages.prepare.sources.digits import CLASSES

SIZE = (40, 40)
PADDING = 6
SIMULATED = 2000  # where prepare.simulated is null: there is no end to the maps

Digit = tuple[np.ndarray, int]


def read_source(params: PrepareParams, seed: int) -> Source:
    """Centred digits as `labeled`, moved ones as `val` and `test`, and `simulated` ones made of those in `labeled`.

    With affNIST's own training file, `simulated` are digits of that file: more labels than those of `labeled`.
    """
    files = affnist_files(params.path)
    spec = DatasetSpec(name="affnist", size=SIZE, channels=1, classes=CLASSES, labels="image")
    piles = digit_piles(params) if not files else {"labeled": centred_digits(files)}
    learn = piles["labeled"]
    records = centred_records(learn, params.group_pattern)
    simulated: list[Record] = []
    for pool, count in (("val", params.val), ("test", params.test)):
        if files:
            records += file_records(files, pool, count)
        else:
            records += moved_records(piles[pool], pool, count, params, seed)
    if "training" in files and params.simulator == "auto":
        simulated = file_records(files, "simulated", params.simulated or SIMULATED)
    simulate = None if simulated else partial(simulated_records, _by_name(learn), params, seed)
    return Source(spec, records, simulated, simulate=simulate, cut=cut_ink, backdrop="black")


def centred_records(pile: DigitPile, pattern: str | None) -> list[Record]:
    """Records of digits as they are, in the middle of the frame."""
    return [
        Record(name, "labeled", group_of(name, "labeled", pattern), name, partial(read_centred, image, int(digit)))
        for image, digit, name in zip(*pile, strict=True)
    ]


def read_centred(image: np.ndarray, digit: int) -> Pixels:
    """A (28, 28) digit with 6 empty pixels on each side."""
    return Pixels(np.pad(image, PADDING)[:, :, None], class_id=digit + 1)


def moved_records(pile: DigitPile, pool: str, count: int, params: PrepareParams, seed: int) -> list[Record]:
    """`count` records of digits under affine maps; the classes take turns, and so do the digits of each."""
    shows = np.eye(len(CLASSES), dtype=bool)[pile.digits + 1]
    order = even_order(shows, pile.digits + 1, np.random.default_rng([seed, *pool.encode()]))
    chosen = [(number, int(order[number % len(order)])) for number in range(count)]
    return [
        _moved(pile.names[row], (pile.images[row], int(pile.digits[row])), pool, number, params.affnist, seed)
        for number, row in chosen
    ]


def simulated_records(
    pile: dict[str, Digit], params: PrepareParams, seed: int, labeled: Sequence[Record]
) -> list[Record]:
    """Records of the digits that ended in `labeled`, and of no others, under affine maps by the law of the test."""
    count = params.simulated or SIMULATED
    names = [labeled[number % len(labeled)].source_id for number in range(count)] if labeled else []
    return [_moved(name, pile[name], "simulated", number, params.affnist, seed) for number, name in enumerate(names)]


def _by_name(pile: DigitPile) -> dict[str, Digit]:
    return {name: (image, int(digit)) for image, digit, name in zip(*pile, strict=True)}


def _moved(name: str, digit: Digit, pool: str, number: int, ranges: AffnistParams, seed: int) -> Record:
    full = f"{name}-{number:06d}"
    return Record(full, pool, f"{pool}/{name}", full, partial(read_moved, digit, pool, number, ranges, seed))


def read_moved(digit: Digit, pool: str, number: int, ranges: AffnistParams, seed: int) -> Pixels:
    """A digit under affine map `number` of its set."""
    random = np.random.default_rng([seed, *pool.encode(), number])
    return Pixels(moved_digit(digit[0], SIZE, ranges, random)[:, :, None], class_id=digit[1] + 1)
