"""From a study to its runs: which parameters each of them has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.overlay import check_overlay, merged, nested, preset_path, read_overlay
from flows.study.description import Study
from stages.common.errors import UserError
from stages.common.recipes import RECIPES, UPPER_BOUND
from stages.common.tracking import flatten

PARAMS, PRESETS = Path("params.yaml"), Path("presets")
OWN_KEYS = ("evaluate.recipes", "evaluate.baseline")


@dataclass(frozen=True)
class Run:
    """One run of the pipeline.

    title: as shown. recipe: of the row. value: on the axis; None without one. recipes: all that are compared, the level
    among them. overlay: of the project's params.yaml.
    """

    title: str
    row: str
    recipe: str
    value: int | float | None
    recipes: tuple[str, ...]
    overlay: Mapping[str, Any]


def planned(study: Study, source: Path, settings: Iterable[Mapping[str, Any]] = ()) -> list[Run]:
    """The runs, row by row, each over preset, `set` of the study, settings, `set` of the row, value of the axis.

    Raises UserError for a key or value that no stage takes, and for a key that is set twice for different reasons.
    """
    base: dict[str, Any] = {}
    if study.preset:
        preset = preset_path(PRESETS, study.preset)
        base = read_overlay(preset)
        check_overlay(PARAMS, base, preset)
    base = merged(base, study.set)
    check_overlay(PARAMS, base, source, "set")
    own = _own_keys(study, source)
    for values in settings:
        for key in flatten(values):
            if key in own:
                raise UserError(f"--set {key}: {source} gives each run its own value; change it there")
        base = merged(base, values)
    check_overlay(PARAMS, base, Path("--set"))
    for name, row in study.rows.items():
        check_overlay(PARAMS, merged(base, row.set), source, f"rows.{name}.set")
    along = study.axis.values if study.axis else (None,)
    return [_run(study, name, value, base, source) for name in study.rows for value in along]


def _own_keys(study: Study, source: Path) -> set[str]:
    """The keys in which runs differ. Raises UserError when one place takes the key of another."""
    axis = {study.axis.key} if study.axis else set()
    rows = {key for row in study.rows.values() for key in flatten(row.set)}
    for key in {*flatten(study.set), *rows, *axis} & set(OWN_KEYS):
        raise UserError(f"{source}: {key} is not for a study to set; it follows from `rows` and `level`")
    for key in axis & rows:
        raise UserError(f"{source}: {key} is both the key of the axis and set by a row; keep one of them")
    return axis | rows | set(OWN_KEYS)


def _run(study: Study, name: str, value: int | float | None, base: dict[str, Any], source: Path) -> Run:
    row = study.rows[name]
    overlay, title = merged(base, row.set), name
    if study.axis and value is not None:
        overlay = merged(overlay, nested(study.axis.key, value))
        title = f"{name}, {study.axis.title} {value:g}"
    compared = {row.recipe, study.level or row.recipe}
    recipes = tuple(recipe for recipe in RECIPES if recipe in compared)
    baseline = row.recipe if study.level in (None, UPPER_BOUND) else study.level
    overlay = merged(overlay, {"evaluate": {"recipes": [*recipes], "baseline": baseline}})
    check_overlay(PARAMS, overlay, source)
    return Run(title, name, row.recipe, value, recipes, overlay)
