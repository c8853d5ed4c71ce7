"""The Prefect flow: a task a stage, in DVC's order, side by side where nothing forbids it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock, Timeout
from prefect import State, Task, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import Completed, Failed
from pydantic import Field

from flows.checks import check_params
from flows.graph import Graph, restrict, stage_graph, topological
from flows.report import as_markdown, as_text, failure, stage_rows
from flows.runner import StageResult, StageRunner
from flows.slots import Slots, make_slots
from flows.tracking import log_params, log_results, run_id
from stages.common.errors import UserError
from stages.common.params import params_file, read_yaml
from stages.common.tracking import PARENT_VARIABLE, tracking

RETRY_DELAY_S = 5


class Work:
    """What the tasks of one pipeline run share."""

    def __init__(self, runner: StageRunner, slots: Slots, variables: dict[str, str]) -> None:
        self.runner, self.slots, self.variables = runner, slots, variables
        self.results: dict[str, StageResult] = {}

    def do(self, stage: str) -> StageResult:
        """Bring a stage up to date, in a slot if it needs one."""
        logger = get_run_logger()
        with self.slots.hold(stage, self.runner.stopped) as granted:
            result = self.runner.run(stage, logger.info, {**self.variables, **granted})
        self.results[stage] = result
        return result


def plan(root: Path, targets: list[str] | None) -> tuple[Graph, dict[str, Any]]:
    """The graph to run and the content of params.yaml. Raises UserError for what would stop a stage later."""
    graph = restrict(stage_graph(root), targets)
    path = root / params_file()
    if not path.is_file():
        return graph, {}
    check_params(path, graph)
    return graph, read_yaml(path)


def _crashed(_task: "Task[..., Any]", _run: TaskRun, state: "State[Any]") -> bool:
    return state.name == "Crash"


@task(task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_crashed)
def run_stage(stage: str, work: Work) -> "State[Any]":
    """One stage. The states are named after what happened: Ran, Reused, Crash (tried again) or Failed."""
    result = work.do(stage)
    if result.outcome == "failed":
        again = result.crashed and not work.runner.stopped.is_set()
        return Failed(name="Crash" if again else "Failed", message=result.message)
    return Completed(name=result.outcome.capitalize(), message=f"{result.outcome} in {result.seconds:.1f} s")


@flow(name="pipeline", persist_result=False)
def pipeline(
    targets: list[str] | None = None,
    gpus: Annotated[int, Field(ge=1)] | None = None,
    timeout: Annotated[float, Field(gt=0)] | None = None,
    retries: Annotated[int, Field(ge=0)] = 1,
) -> "State[Any]":
    """Bring the stages of the DVC project in the working directory up to date.

    targets: stages, or groups of them, to run with what they need; evaluate without. gpus: how many of the visible GPUs
    to use. timeout: minutes a stage may take. retries: further tries for a stage that crashed; it goes on from its
    last checkpoint. Ends Failed with the name UserError or ValidationFailed where that is the reason.
    """
    root = Path.cwd()
    try:
        graph, params = plan(root, targets)
        with _alone(root):
            results = _run(root, graph, params, gpus, timeout, retries)
    except UserError as error:
        return Failed(name="UserError", message=str(error))
    order = topological(graph)
    _show(order, results, root)
    if reason := failure(order, results):
        return Failed(name=reason[0], message=reason[1])
    return Completed(message=f"{len(order)} stages are up to date")


def _run(
    root: Path, graph: Graph, params: dict[str, Any], gpus: int | None, timeout: float | None, retries: int
) -> dict[str, StageResult]:
    runner = StageRunner(root, timeout * 60 if timeout else None)
    slots = make_slots(str(params.get("device", "auto")), gpus)
    with ExitStack() as stack:
        tracker = stack.enter_context(tracking("pipeline", {"kind": "pipeline"}))
        stack.enter_context(_stopped_at_the_end(runner))
        log_params(tracker, params)
        parent = run_id(tracker)
        work = Work(runner, slots, {PARENT_VARIABLE: parent} if parent else {})
        _run_stages(graph, work, retries)
        log_results(tracker, root, work.results)
        if any(result.outcome == "failed" for result in work.results.values()):
            tracker.close(failed=True)
        return work.results


def _run_stages(graph: Graph, work: Work, retries: int) -> None:
    stage_task = run_stage.with_options(retries=retries, retry_delay_seconds=RETRY_DELAY_S)
    futures: dict[str, Any] = {}
    for stage in topological(graph):
        needs = [futures[need] for need in graph[stage]]
        futures[stage] = stage_task.submit(stage, work, return_state=False, wait_for=needs)
    for future in futures.values():
        future.wait()


@contextmanager
def _stopped_at_the_end(runner: StageRunner) -> Iterator[None]:
    # A cancel arrives as an exception in this thread while the stages run in others.
    try:
        yield
    finally:
        runner.stop()


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    lock = root / ".local" / "flow.lock"
    lock.parent.mkdir(exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise UserError(f"{root}: another pipeline run is at work here; wait for it or cancel it") from error


def _show(order: list[str], results: dict[str, StageResult], root: Path) -> None:
    rows = stage_rows(order, results)
    get_run_logger().info("Stages:\n%s", as_text(rows))
    create_table_artifact(table=rows, key="stages", description="What happened to each stage")
    create_markdown_artifact(markdown=as_markdown(rows, root), key="summary", description="Stages and comparison")
