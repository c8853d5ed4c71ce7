"""What a run gave: read from the reports of the copy, kept in results.csv."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.graph import restrict, stage_graph
from flows.study.description import SCORE_FIELDS, Study
from flows.study.plan import Run
from stages.common.errors import UserError
from stages.common.paths import write_atomically
from stages.common.tracking import flatten

METRICS = Path("reports/evaluate/metrics.json")
MISSING = ""


@dataclass(frozen=True)
class Score:
    """The metric of a recipe over the seeds of the target; the sample deviation of one seed is None."""

    mean: float
    deviation: float | None
    seeds: tuple[float | None, ...]

    @property
    def count(self) -> int:
        """Seeds that have a value."""
        return sum(value is not None for value in self.seeds)


@dataclass(frozen=True)
class Measure:
    """The metric of the target: its title, its unit, what values it takes, which are better."""

    title: str
    unit: str
    range: str
    better: str

    def __str__(self) -> str:
        inside = ", ".join(filter(None, [self.unit.strip(), self.range, f"{self.better} is better"]))
        return f"{self.title} ({inside})"


@dataclass(frozen=True)
class Result:
    """One run. figures: the further columns, None where the run has none. key: digest of its params and code."""

    row: str
    recipe: str
    value: int | float | None
    score: Score
    level: Score | None
    figures: Mapping[str, float | None]
    measure: Measure
    key: str


def collect(copy: Path, study: Study, run: Run, key: str) -> Result:
    """What the run that has just ended left in the copy. Raises UserError when its recipe has no scores."""
    content = json.loads((copy / METRICS).read_text())
    measure = Measure(*(content[name] for name in ("title", "unit", "range", "better")))
    score, level = (_score(content, recipe) for recipe in (run.recipe, study.level))
    if score is None:
        raise UserError(f"the recipe {run.recipe} has no scores; does this dataset have what it is made of?")
    made = set(restrict(stage_graph(copy), None)) if study.columns else set()
    figures = {name: figure(copy, at.replace("{recipe}", run.recipe), made) for name, at in study.columns.items()}
    return Result(run.row, run.recipe, run.value, score, level, figures, measure, key)


def _score(content: Mapping[str, Any], recipe: str | None) -> Score | None:
    found = content["recipes"].get(recipe)
    if found is None:
        return None
    values = found[content["metric"]]
    return Score(values["mean"], values["std"], tuple(values["seeds"]))


def figure(copy: Path, address: str, made: set[str]) -> float | None:
    """The number at FILE.json:KEY; None when there is none.

    made: the stages of the run, as `train@gan`. The file of another was left by an earlier run: it does not count.
    """
    name, _, key = address.partition(":")
    _, stage, item, *_ = (*Path(name).parts, "")
    if not {stage, f"{stage}@{item}"} & made or not (copy / name).is_file():
        return None
    value = flatten(json.loads((copy / name).read_text())).get(key)
    return float(value) if isinstance(value, int | float) else None


def read_results(path: Path, study: Study) -> dict[str, Result]:
    """{key: result} of results.csv; empty when there is none, or one that is not a study's."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["run"]: _result(row, list(study.columns)) for row in rows}
    except (KeyError, ValueError, TypeError):
        return {}


def _result(row: Mapping[str, str], columns: Iterable[str]) -> Result:
    level = _read_score(row, "level_") if row["level_mean"] else None
    measure = Measure(row["metric"], row["unit"], row["range"], row["better"])
    figures = {name: _number(row[name]) for name in columns}
    value = _number(row["value"])
    return Result(row["row"], row["recipe"], value, _read_score(row, ""), level, figures, measure, row["run"])


def _read_score(row: Mapping[str, str], prefix: str) -> Score:
    seeds = tuple(_number(text) if text != "-" else None for text in row[f"{prefix}scores"].split())
    return Score(float(row[f"{prefix}mean"]), _number(row[f"{prefix}deviation"]), seeds)


def _number(text: str) -> int | float | None:
    if text == MISSING:
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)


def write_results(path: Path, results: Sequence[Result], columns: Sequence[str]) -> None:
    """A line a run; `scores` has that of each seed, `run` the digest by which a run is known again."""
    buffer = io.StringIO()
    rows = [_row(result, columns) for result in results]
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["run"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, buffer.getvalue().encode())


def _row(result: Result, columns: Sequence[str]) -> dict[str, Any]:
    measure = result.measure
    return {
        "row": result.row,
        "recipe": result.recipe,
        "value": MISSING if result.value is None else result.value,
        **_score_cells(result.score, ""),
        **{name: MISSING if result.figures[name] is None else result.figures[name] for name in columns},
        **_score_cells(result.level, "level_"),
        "metric": measure.title,
        "unit": measure.unit,
        "range": measure.range,
        "better": measure.better,
        "run": result.key,
    }


def _score_cells(score: Score | None, prefix: str) -> dict[str, Any]:
    if score is None:
        return {f"{prefix}{name}": MISSING for name in SCORE_FIELDS}
    return {
        f"{prefix}seeds": score.count,
        f"{prefix}mean": score.mean,
        f"{prefix}deviation": MISSING if score.deviation is None else score.deviation,
        f"{prefix}scores": " ".join("-" if value is None else repr(value) for value in score.seeds),
    }
