"""studies/NAME.yaml: what a study runs and what it shows."""

import difflib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from stages.common.errors import UserError
from stages.common.params import Params, parse, read_yaml, stage_names
from stages.common.recipes import Recipe

SCORE_FIELDS = ("seeds", "mean", "deviation", "scores")
RESULT_FIELDS = (
    *("row", "recipe", "value", "metric", "unit", "range", "better", "run"),
    *(f"{prefix}{name}" for prefix in ("", "level_") for name in SCORE_FIELDS),
)
"""What results.csv has beside the columns of the study."""


def _without_dots(overlay: dict[str, Any]) -> dict[str, Any]:
    for key, value in overlay.items():
        if isinstance(key, str) and "." in key:
            nested = ": {".join(key.split(".")) + ": ..." + "}" * key.count(".")
            raise ValueError(f"{key}: a key here has no dots; nest it as {nested}")
        if isinstance(value, dict):
            _without_dots(value)
    return overlay


Overlay = Annotated[dict[str, Any], AfterValidator(_without_dots)]


class Axis(Params):
    """What runs along the curve."""

    title: str = Field(min_length=1)
    """What the axis is called, with its unit."""
    key: str = Field(pattern=r"^\w+(\.\w+)*$")
    """Dotted key of params.yaml, for example generate.samples."""
    values: tuple[int | float, ...] = Field(min_length=1)

    @field_validator("values", mode="before")
    @classmethod
    def _no_booleans(cls, values: Any) -> Any:
        # Pydantic takes yes for 1.
        if isinstance(values, list | tuple) and any(isinstance(value, bool) for value in values):
            raise ValueError("yes, no, true and false are no numbers; write numbers")
        return values

    @field_validator("values")
    @classmethod
    def _each_once(cls, values: tuple[int | float, ...]) -> tuple[int | float, ...]:
        if len(set(values)) < len(values):
            raise ValueError("names a value twice")
        return values


class Row(Params):
    """One variant: a curve, or a row of the table."""

    recipe: Recipe
    set: Overlay = Field(default={})
    """Overlay of params.yaml for this variant alone."""


class Study(Params):
    """Every row at every value of the axis is one run of the pipeline."""

    preset: str | None = None
    set: Overlay = Field(default={})
    """Overlay of params.yaml over the preset, for every run."""
    axis: Axis | None = None
    """Without it the study is a table of variants."""
    rows: dict[str, Row] = Field(min_length=1)
    level: Recipe | None = None
    """A recipe to compare with: a horizontal line of the curve, the first row of the table."""
    columns: dict[str, str] = Field(default={})
    """Further figures of a run: name -> reports/STAGE/FILE.json:KEY, where {recipe} stands for the row's recipe."""

    @field_validator("rows", "columns")
    @classmethod
    def _can_be_shown(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not name.strip() or any(sign in name for sign in "|\n"):
                raise ValueError(f"the name {name!r} is empty, or has a | or a line break, which a table cannot show")
        return named

    @field_validator("level")
    @classmethod
    def _is_no_row(cls, level: str | None, info: ValidationInfo) -> str | None:
        if level in info.data.get("rows", {}):
            raise ValueError(f"a row is called {level} as the level is; give it another name")
        return level

    @field_validator("columns")
    @classmethod
    def _addresses(cls, columns: dict[str, str]) -> dict[str, str]:
        for name, address in columns.items():
            if name in RESULT_FIELDS:
                raise ValueError(f"the column {name} is called as one that results.csv has anyway; rename it")
            if sentence := _wrong_address(address):
                raise ValueError(f"{name}: {sentence}")
        return columns


def _refuse_unquoted(path: Path, part: str, named: Any) -> None:
    for name in named if isinstance(named, dict) else ():
        if not isinstance(name, str):
            spelled = "it" if isinstance(name, bool) or name is None else name
            raise UserError(f"{path}: {part}.{name}: a name is text; put quotes around {spelled}")


def _wrong_address(address: str) -> str | None:
    """What is wrong with FILE.json:KEY; the folder under reports/ is that of the stage that writes the file."""
    file, colon, key = address.partition(":")
    top, _, rest = file.partition("/")
    stage, _, name = rest.partition("/")
    if top != "reports" or not name.endswith(".json") or not colon or not key.strip():
        return f"expected reports/STAGE/FILE.json:KEY, not {address}"
    if stage in stage_names():
        return None
    close = difflib.get_close_matches(stage, stage_names(), n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(stage_names())}"
    return f"reports/{stage} is the folder of no stage; {hint}"


def read_study(path: Path) -> Study:
    """The study in a file. Raises UserError naming the first key that is unknown, missing or wrong."""
    content = read_yaml(path)
    for part in ("rows", "columns"):
        _refuse_unquoted(path, part, content.get(part))
    # Each part on its own first, so that a wrong key is compared with the keys of its own part.
    if isinstance(content.get("axis"), dict):
        parse(Axis, content["axis"], path, "axis")
    rows = content.get("rows")
    for name, row in rows.items() if isinstance(rows, dict) else ():
        parse(Row, row, path, f"rows.{name}")
    return parse(Study, content, path, "")
