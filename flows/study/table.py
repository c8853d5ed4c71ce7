"""table.md: the results of a study for a reader."""

from collections.abc import Mapping, Sequence

from flows.study.description import Study
from flows.study.lines import digits_for, levels, lines, measure_of
from flows.study.results import Result, Score

EMPTY = "-"


def table(title: str, study: Study, results: Sequence[Result]) -> str:
    """The scores, a line a row and a column a value of the axis, then each further column of the study.

    Raises UserError when the results have several metrics.
    """
    measure = measure_of(results)
    means = [score.mean for result in results for score in (result.score, result.level) if score]
    digits, suffix = digits_for(means), f" {measure.unit}".rstrip()
    counts = sorted({score.count for result in results for score in (result.score, result.level) if score})
    seeds = f"{' or '.join(map(str, counts))} seed{'' if counts == [1] else 's'} of the target"
    said = f"{measure}; mean ± sample standard deviation over {seeds}."
    rows = levels(results, study.level) | lines(results)
    cells = {name: {at: text(score, digits, suffix) for at, score in row.items()} for name, row in rows.items()}
    parts = [f"# {title}", f"{said[:1].upper()}{said[1:]}"]
    if study.axis is None:
        return "\n\n".join([*parts, _variants(study, results, cells)]) + "\n"
    across, values = study.axis.title, study.axis.values
    parts.append(_grid(across, values, cells))
    for column in study.columns:
        parts += [f"{column[:1].upper()}{column[1:]}:", _grid(across, values, _figures(results, column))]
    return "\n\n".join(parts) + "\n"


def text(score: Score, digits: int, suffix: str = "") -> str:
    """`0.712 ± 0.010`, or the mean alone."""
    if score.deviation is None:
        return f"{score.mean:.{digits}f}{suffix}"
    return f"{score.mean:.{digits}f} ± {score.deviation:.{digits}f}{suffix}"


Cells = Mapping[str, Mapping[int | float | None, str]]


def _figures(results: Sequence[Result], column: str) -> dict[str, dict[int | float | None, str]]:
    values = [value for result in results if (value := result.figures[column]) is not None]
    digits = 0 if all(value == round(value) for value in values) else digits_for(values)
    found: dict[str, dict[int | float | None, str]] = {}
    for result in results:
        value = result.figures[column]
        found.setdefault(result.row, {})[result.value] = EMPTY if value is None else f"{value:.{digits}f}"
    return found


def _grid(title: str, values: Sequence[int | float], cells: Cells) -> str:
    body = [[name, *(row.get(value, EMPTY) for value in values)] for name, row in cells.items()]
    return _markdown([title, *(f"{value:g}" for value in values)], body)


def _variants(study: Study, results: Sequence[Result], cells: Cells) -> str:
    figures = {column: _figures(results, column) for column in study.columns}
    body = [
        [name, row[None], *(figures[column].get(name, {}).get(None, EMPTY) for column in study.columns)]
        for name, row in cells.items()
    ]
    return _markdown(["", measure_of(results).title, *study.columns], body)


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in body)])
