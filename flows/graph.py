"""DVC's graph of stages as plain names."""

from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from stages.common.errors import UserError

Graph = dict[str, list[str]]
LAST = "evaluate"


def stage_graph(root: Path) -> Graph:
    """{stage: the stages it needs} of the DVC project in `root`, by the names that `dvc repro` takes.

    Data files under `dvc add` are no stages and left out; a frozen stage needs nothing, as in `dvc repro`.
    Raises UserError when there is no DVC project, its files are wrong, or it has no stage.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            graph = repo.index.graph
            found = {name: _needs(graph, stage) for stage in graph if (name := _name(stage))}
    except DvcException as error:
        raise UserError(f"{root}: DVC cannot read the pipeline: {' '.join(str(error).split())}") from error
    if not found:
        raise UserError(f"{root / 'dvc.yaml'}: no stages; run from the project folder, where dvc.yaml is")
    return {name: found[name] for name in sorted(found)}


def _name(stage: Any) -> str | None:
    # Not stage.addressing: that changes with the working directory.
    name = getattr(stage, "name", None)
    if name is None:
        return None
    return name if stage.path_in_repo == "dvc.yaml" else f"{stage.path_in_repo}:{name}"


def _needs(graph: Any, stage: Any) -> list[str]:
    if stage.frozen:
        return []
    return sorted(name for upstream in graph.successors(stage) if (name := _name(upstream)))


def topological(graph: Graph) -> list[str]:
    """The stages, each after all that it needs; ties in the order of their names."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def restrict(graph: Graph, targets: list[str] | None) -> Graph:
    """The part of the graph that the targets need, themselves included; without targets what `evaluate` needs, or all
    of a graph that has no such stage.

    A target is a stage (`train@gan`) or a group of them (`train`). Raises UserError for an unknown one.
    """
    if not targets and LAST not in graph:
        return graph
    left = [stage for target in targets or [LAST] for stage in _stages_of(graph, target)]
    wanted: set[str] = set()
    while left:
        stage = left.pop()
        if stage not in wanted:
            wanted.add(stage)
            left += graph[stage]
    return {stage: needs for stage, needs in graph.items() if stage in wanted}


def _stages_of(graph: Graph, target: str) -> list[str]:
    stages = [stage for stage in graph if target in (stage, family(stage))]
    if not stages:
        known = ", ".join(sorted({family(stage) for stage in graph} | set(graph)))
        raise UserError(f"dvc.yaml: no stage {target}; there are: {known}")
    return stages


def family(stage: str) -> str:
    """The stage without its item: `train` of `train@gan`."""
    return stage.partition("@")[0]
