"""params.yaml against the typed section of every stage, before anything runs."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from flows.graph import Graph, family
from stages.common.params import Params, SharedParams, load_params, parse


def section_class(stage: str) -> type[Params] | None:
    """`TrainParams` of stages.train.params for `train`; None for a stage without such a class."""
    name = family(stage)
    if not name.isidentifier() or importlib.util.find_spec(f"stages.{name}") is None:
        return None
    if importlib.util.find_spec(f"stages.{name}.params") is None:
        return None
    found = getattr(importlib.import_module(f"stages.{name}.params"), f"{name.capitalize()}Params", None)
    return found if isinstance(found, type) and issubclass(found, Params) else None


def check_params(path: Path, graph: Graph) -> None:
    """Raises UserError for the first wrong key or value in a section of a stage of the graph."""
    for stage in sorted({family(stage) for stage in graph}):
        if cls := section_class(stage):
            load_params(stage, cls, path)


def check_values(values: dict[str, Any], path: Path, at: str = "") -> None:
    """The same for values that are not in a file yet; `path` is what the sentence names, `at` the place in it."""
    for section, content in values.items():
        if section in SharedParams.model_fields:
            parse(SharedParams, {section: content}, path, at)
        elif cls := section_class(section):
            parse(cls, {} if content is None else content, path, joined(at, section))


def joined(at: str, key: str) -> str:
    """The dotted key of `key` inside `at`."""
    return f"{at}.{key}" if at else key
