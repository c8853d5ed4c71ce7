"""params.yaml against the typed section of every stage, before anything runs."""

from pathlib import Path
from typing import Any

from flows.graph import Graph, family
from stages.common.params import Params, SharedParams, class_of_section, load_params, parse


def section_class(stage: str) -> type[Params] | None:
    """`TrainParams` of stages.train.params for `train`, `train@gan` or `train.yaml:train`; None for another stage."""
    return class_of_section(family(stage))


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
