"""Run the pipeline under Prefect: `python -m flows.pipeline`, with or without a server."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.environment import set_environment
from flows.exits import one_sentence

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    targets: Annotated[
        list[str] | None, typer.Option(help="A stage or a group, with what it needs; repeatable.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="Use at most so many of the visible GPUs.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Minutes that one stage may take.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="Further tries for a stage that crashed.")] = 1,
) -> None:
    """Bring up to date what `evaluate` needs, side by side where the graph allows it, each stage as a Prefect task.

    Exit codes: 0 all up to date, 2 a mistake in the project, 3 a label set failed validation, 1 anything else.
    """
    with one_sentence():
        code = run(targets, gpus, timeout, retries)
    raise typer.Exit(code)


def run(targets: list[str] | None, gpus: int | None, timeout: float | None, retries: int) -> int:
    """Run the flow in the working directory and return the exit code. Raises UserError before anything has started."""
    set_environment(Path.cwd())
    from flows.flow import pipeline, plan
    from flows.report import EXIT_CODES

    plan(Path.cwd(), targets)
    try:
        _start_server()
        state = pipeline(targets=targets, gpus=gpus, timeout=timeout, retries=retries, return_state=True)
    except Exception as error:  # what a stage or the flow raises is in the state: this is the server, or the way to it
        server = os.environ.get("PREFECT_API_URL", "its temporary server")
        print(f"error: Prefect cannot work with {server}: {error}", file=sys.stderr, flush=True)
        return 1
    if state.is_completed():
        return 0
    print(f"error: {state.message}", file=sys.stderr, flush=True)
    return EXIT_CODES.get(state.name or "", 1)


def _start_server() -> None:
    """Prefect's temporary server, unless there is one to talk to; deaf to Ctrl-C.

    A terminal sends Ctrl-C to every process of the run, but the flow still has to tell the server how it ended.
    """
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return
    from prefect.server.api.server import SubprocessASGIServer

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        SubprocessASGIServer().start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


if __name__ == "__main__":
    app()
