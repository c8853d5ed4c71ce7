"""params.yaml: typed sections that refuse unknown keys."""

import difflib
import importlib
import os
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.common.errors import UserError
from stages.common.strict_yaml import parse_yaml

STAGES_DIR = Path(__file__).resolve().parents[1]
Device = Literal["auto", "cpu", "cuda"]


class Params(BaseModel):
    """Base of every section: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class SharedParams(Params):
    """The keys at the top of params.yaml that several stages read.

    seed: every random choice of the pipeline starts from it. device: `auto` takes a GPU when there is one.
    """

    seed: int = Field(default=0, ge=0)
    device: Device = "auto"


Section = TypeVar("Section", bound=Params)


def params_file() -> Path:
    """The file that holds the parameters: params.yaml, or what HANDFUL_PARAMS names."""
    return Path(os.environ.get("HANDFUL_PARAMS", "params.yaml"))


# What pydantic calls by the names of Python.
IN_YAML = {
    "tuple_type": "expected a list, such as [1, 2]",
    "model_type": "expected keys of its own, such as {key: value}",
    "too_short": "has too few entries",
    "dict_type": "expected keys of its own, such as {key: value}",
}


def stage_names() -> list[str]:
    """The stages, which are the folders beside `common` that can be run."""
    return sorted(p.parent.name for p in STAGES_DIR.glob("*/__main__.py"))


def class_of_section(name: str) -> type[Params] | None:
    """`TrainParams` of stages.train.params for `train`; None where no stage has such a class."""
    if not name.isidentifier() or not (STAGES_DIR / name / "params.py").is_file():
        return None
    found = getattr(importlib.import_module(f"stages.{name}.params"), f"{name.capitalize()}Params", None)
    return found if isinstance(found, type) and issubclass(found, Params) else None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError when it is missing, no YAML or no mapping, or has a key twice."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the project folder, where params.yaml is")
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; save it in that encoding") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected `key: value` pairs at the top")
    return content


def load_params(section: str, cls: type[Section], path: Path | None = None) -> tuple[Section, SharedParams]:
    """The section of one stage and the shared keys.

    Raises UserError naming the key when one is unknown, missing or out of range.
    """
    path = path or params_file()
    content = read_yaml(path)
    shared_keys = set(SharedParams.model_fields)
    _refuse_unknown(path, "", set(content), shared_keys | set(stage_names()))
    shared = parse(SharedParams, {k: v for k, v in content.items() if k in shared_keys}, path, "")
    values = content.get(section)
    return parse(cls, {} if values is None else values, path, section), shared


def parse(cls: type[Section], values: Any, path: Path, prefix: str) -> Section:
    """`values` as `cls`; the first problem becomes one UserError sentence."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error, cls, path, prefix)) from error


def _refuse_unknown(path: Path, prefix: str, found: set[str], known: set[str]) -> None:
    for key in sorted(map(str, found - known)):
        raise UserError(f"{path}: {_join(prefix, key)} is not a known key{_hint(key, known)}")


def _hint(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(sorted(known))}"


def _join(prefix: str, key: str) -> str:
    return f"{prefix}.{key}" if prefix else key


def _sentence(error: ValidationError, cls: type[Params], path: Path, prefix: str) -> str:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    where = ".".join([prefix, *location]) if prefix else ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _fields_at(cls, location[:-1])
        return f"{path}: {where} is not a known key{_hint(location[-1], known)}"
    found = "" if first["type"] == "missing" else f" (found {_shortened(repr(first['input']))})"
    message = IN_YAML.get(first["type"]) or _uncapitalised(first["msg"].removeprefix("Value error, "))
    return f"{path}: {where}: {message}{found}"


def _shortened(text: str, length: int = 80) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _fields_at(cls: type[Params], location: list[str]) -> set[str]:
    for part in location:
        annotation = cls.model_fields[part].annotation if part in cls.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, Params):
            cls = annotation
    return set(cls.model_fields)
