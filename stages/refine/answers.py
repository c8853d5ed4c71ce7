"""The answers that people gave on the page of the visual Turing test, pooled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from stages.common.errors import UserError
from stages.common.json_files import read_json
from stages.common.params import Params, parse

CHANCE, LEVEL = 0.5, 0.95
Truth = Literal["real", "made"]
TRUTHS: tuple[Truth, Truth] = ("real", "made")


class Answer(Params):
    """One image: its number on the page, what it is, and what the person said."""

    image: int = Field(ge=0)
    truth: Truth
    answer: Truth


class Answers(Params):
    """What the page saves for one person. page: the number of the page. kind: how its made images were made."""

    format: Literal["turing-answers-1"]
    page: str
    kind: str
    subject: str
    answers: tuple[Answer, ...] = Field(min_length=1)

    @property
    def right(self) -> int:
        """How many images the person told right."""
        return sum(one.truth == one.answer for one in self.answers)


@dataclass(frozen=True)
class Score:
    """right of total answers, the ends of the exact 95 % interval of their share, and the p-value against guessing."""

    right: int
    total: int
    low: float
    high: float
    p_value: float

    @property
    def share(self) -> float:
        """Right answers by all answers, 0 to 1."""
        return self.right / self.total


@dataclass(frozen=True)
class Pooled:
    """The answers of several people taken together. counts: (truth, answer) -> answers."""

    kind: str
    people: tuple[Answers, ...]
    counts: dict[tuple[Truth, Truth], int]
    score: Score


def score(right: int, total: int) -> Score:
    """The score of `right` of `total` answers.

    p is P(X >= right) for X of Binomial(total, 1/2): the one-sided exact test, for only more right answers than by
    guessing speak against the images. It is the test of SimGAN (Shrivastava et al., CVPR 2017, section 3.1): their 517
    of 1000 give 0.148 one-sided, 0.297 two-sided. The interval is two-sided, after Clopper and Pearson.
    """
    from scipy.stats import binomtest

    interval = binomtest(right, total, CHANCE).proportion_ci(LEVEL, method="exact")
    p_value = binomtest(right, total, CHANCE, alternative="greater").pvalue
    return Score(right, total, float(interval.low), float(interval.high), float(p_value))


def read_answers(paths: Sequence[Path]) -> Pooled:
    """Pool the files that the page saved, one a person, as if one person had given all answers.

    Raises UserError for a file that is missing or no such file, one person twice on a page, or pages of two kinds.
    """
    if not paths:
        raise UserError("no answers given; name the files that the page saved, such as answers-*.json")
    people: dict[tuple[str, str], Answers] = {}
    for path in paths:
        one = _read(path)
        if (one.page, one.subject) in people:
            raise UserError(f"{path}: holds the answers of {one.subject} a second time; leave one of the two files out")
        people[one.page, one.subject] = one
        kinds = sorted({other.kind for other in people.values()})
        if len(kinds) > 1:
            raise UserError(f"{path}: is about {one.kind} images, files before it are not; pool each kind by itself")
    counts = Counter((answer.truth, answer.answer) for one in people.values() for answer in one.answers)
    whole = score(sum(one.right for one in people.values()), counts.total())
    table = {(truth, said): counts[truth, said] for truth in TRUTHS for said in TRUTHS}
    return Pooled(kinds[0], tuple(people.values()), table, whole)


def _read(path: Path) -> Answers:
    saved = "give the files that the page saved"
    return parse(Answers, read_json(path, missing=saved, damaged=f"{saved}, as they are"), path, "")


def table(pooled: Pooled) -> str:
    """A line a person, all of them, and what was said of which kind, as text."""
    scores = [(one.subject, score(one.right, len(one.answers))) for one in pooled.people]
    width = max(len(name) for name in ("all together", *(name for name, _ in scores)))
    lines = [
        f"{pooled.kind} images, {len(pooled.people)} answered",
        f"{'':{width}}  right     of  share  95 % interval",
    ]
    for name, found in [*scores, ("all together", pooled.score)]:
        interval = f"{found.low:.3f} to {found.high:.3f}, p = {found.p_value:.3g}"
        lines.append(f"{name:{width}}  {found.right:>5}  {found.total:>5}  {found.share:.3f}  {interval}")
    lines += ["", f"{'':{width}}  said real  said made"]
    for truth in TRUTHS:
        real, made = (pooled.counts[truth, said] for said in TRUTHS)
        lines.append(f"{truth + ' images':{width}}  {real:>9}  {made:>9}")
    return "\n".join([*lines, "", "p: chance of as many right answers or more by guessing (exact binomial, one-sided)"])
