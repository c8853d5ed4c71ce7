"""The images of the visual Turing test: which are examples, which are asked, in what order."""

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass

import numpy as np

from stages.common.encoding import encode_png
from stages.common.errors import UserError
from stages.common.pictures import as_rgb

STREAM = 60
LARGEST, SMALLER = 320, 128
EXAMPLES, ASKED, FEWEST = 10, 50, 4


@dataclass(frozen=True)
class TuringTest:
    """What the page holds: images as data URIs of PNG. Nothing says in plain words which of the asked ones are real.

    images: the asked ones, mixed. marks: for each of them a byte; an odd number of ones among its bits means made.
    real, made: the examples. size: (height, width) in pixels, scale: how many times as large they are shown,
    example_scale: the same of the examples.
    """

    id: str
    kind: str
    images: tuple[str, ...]
    marks: tuple[int, ...]
    real: tuple[str, ...]
    made: tuple[str, ...]
    size: tuple[int, int]
    scale: int
    example_scale: int

    def questions(self) -> dict[str, object]:
        """What the script of the page reads."""
        return {"id": self.id, "kind": self.kind, "images": self.images, "marks": self.marks}


def shares(available: int, images: int = ASKED) -> tuple[int, int]:
    """How many examples and how many asked images of a kind, when `available` of it are there.

    10 examples as in the article, or a sixth of all when they would leave less than `images`. Raises UserError when
    fewer than 4 are left to ask about.
    """
    examples = EXAMPLES if available >= images + EXAMPLES else min(max(available // 6, 1), EXAMPLES)
    asked = min(images, available - examples)
    if asked < FEWEST:
        raise UserError(
            f"visual Turing test: of one kind of image there are {available}, but it takes {FEWEST + 1} of both; "
            "give the dataset more images"
        )
    return examples, asked


def make_test(real: np.ndarray, made: np.ndarray, kind: str, images: int = ASKED, seed: int = 0) -> TuringTest:
    """Draw examples and questions without repetition. real, made: (N, H, W, 1 or 3) uint8, of one size.

    images: how many of each kind are asked, or as many as there are. Raises UserError when they are too few, or the
    sizes differ.
    """
    if real.shape[1:3] != made.shape[1:3]:
        raise UserError(
            f"visual Turing test: real images are {real.shape[2]} x {real.shape[1]} and made ones {made.shape[2]} x "
            f"{made.shape[1]} pixels, which gives them away; make them of one size"
        )
    examples, asked = shares(min(len(real), len(made)), images)
    random = np.random.default_rng([seed, STREAM])
    rows = [random.permutation(len(pile))[: examples + asked] for pile in (real, made)]
    piles = [real[rows[0]], made[rows[1]]]
    if real.shape[3] != made.shape[3]:
        # Grey PNG beside coloured ones would tell the kinds apart by their first bytes.
        piles = [as_rgb(pile) for pile in piles]
    encoded = [tuple(_data_uri(image) for image in pile) for pile in piles]
    order, kinds = random.permutation(2 * asked), np.repeat([0, 1], asked)
    questions = [*encoded[0][examples:], *encoded[1][examples:]]
    shown, marks = tuple(questions[i] for i in order), _marks(kinds[order], random)
    height, width = real.shape[1:3]
    return TuringTest(
        id=hashlib.sha256(json.dumps([kind, shown, marks]).encode()).hexdigest()[:12],
        kind=kind,
        images=shown,
        marks=marks,
        real=encoded[0][:examples],
        made=encoded[1][:examples],
        size=(height, width),
        scale=max(1, LARGEST // max(height, width)),
        example_scale=max(1, SMALLER // max(height, width)),
    )


def _data_uri(image: np.ndarray) -> str:
    return f"data:image/png;base64,{b64encode(encode_png(image)).decode()}"


def _marks(kinds: np.ndarray, random: np.random.Generator) -> tuple[int, ...]:
    upper = random.integers(128, size=len(kinds)).tolist()
    return tuple(2 * bits + (bits.bit_count() + int(kind)) % 2 for bits, kind in zip(upper, kinds, strict=True))
