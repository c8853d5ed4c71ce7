"""The results as lines: one a row of the study, and the level."""

import math
from collections.abc import Mapping, Sequence

from flows.study.results import Measure, Result, Score
from stages.common.errors import UserError

Line = Mapping[int | float | None, Score]


def lines(results: Sequence[Result]) -> dict[str, dict[int | float | None, Score]]:
    """{row: {value of the axis: score}} in the order of the results."""
    found: dict[str, dict[int | float | None, Score]] = {}
    for result in results:
        found.setdefault(result.row, {})[result.value] = result.score
    return found


def levels(results: Sequence[Result], name: str | None) -> dict[str, dict[int | float | None, Score]]:
    """The level in the same form: one line when all rows saw the same scores of it, else one for each row."""
    of_rows: dict[str, dict[int | float | None, Score]] = {}
    for result in results:
        if result.level is not None:
            of_rows.setdefault(result.row, {})[result.value] = result.level
    joined: dict[int | float | None, Score] = {}
    for line in of_rows.values():
        for value, score in line.items():
            if joined.setdefault(value, score) != score:
                return {f"{name} for {row}": line for row, line in of_rows.items()}
    return {str(name): dict(sorted(joined.items(), key=lambda item: item[0] or 0))} if joined else {}


def flat(line: Line) -> Score | None:
    """The score of a line that is the same at every value; None for another."""
    scores = list(line.values())
    return scores[0] if all(score == scores[0] for score in scores) else None


def measure_of(results: Sequence[Result]) -> Measure:
    """The metric of all results. Raises UserError when they have several."""
    found = list(dict.fromkeys(result.measure for result in results))
    if len(found) > 1:
        raise UserError(f"the rows are judged by {found[0].title} and by {found[1].title}, which no table compares")
    return found[0]


def digits_for(values: Sequence[float]) -> int:
    """Digits behind the point that show three figures of the largest value, at most four."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return min(max(2 - math.floor(math.log10(largest)), 0), 4) if largest > 0 else 3
