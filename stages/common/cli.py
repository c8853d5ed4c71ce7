"""How every stage starts and ends: params, tracking, one sentence for a mistake, its exit code."""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from stages.common.errors import (
    EXIT_INTERRUPTED,
    EXIT_USER_ERROR,
    EXIT_VALIDATION_FAILED,
    UserError,
    ValidationFailedError,
)
from stages.common.params import Params, load_params
from stages.common.recipes import RECIPES, check_recipe
from stages.common.tracking import tracking

RecipeOption = Annotated[str, typer.Option(help="Which training set to make or use, for example gan or gan+real.")]


def run_stage(stage: str, cls: type[Params], main: Callable[..., None], description: str | None) -> None:
    """Run main(params, shared, tracker) as a command with `--help`."""

    def command() -> None:
        execute(stage, cls, main)

    run_command(command, description)


def run_recipe_stage(stage: str, cls: type[Params], main: Callable[..., None], description: str | None) -> None:
    """Run main(params, shared, tracker, recipe) as a command with `--recipe` and `--help`."""

    def command(recipe: RecipeOption) -> None:
        execute(stage, cls, main, recipe)

    run_command(command, description)


def run_command(command: Callable[..., None], description: str | None) -> None:
    """Run a function as a command with `--help`, whose options are its arguments, annotated as Typer reads them."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=description)
    app.command(help=description)(command)
    app()


def execute(
    stage: str,
    cls: type[Params],
    main: Callable[..., None],
    recipe: str | None = None,
    known: Collection[str] = RECIPES,
) -> None:
    """One run of a stage, tracked under its name: main(params, shared, tracker), with a recipe, if that is given, which
    has to be among the `known`. Ends as `exits` says."""
    started, of_recipe = time.monotonic(), () if recipe is None else (recipe,)
    name = "@".join((stage, *of_recipe))
    tags = {"stage": stage, "kind": "stage"} | ({} if recipe is None else {"recipe": recipe})
    tags |= {key: os.environ[key] for key in ("DVC_EXP_NAME",) if key in os.environ}
    with exits("run the same command again to go on"):
        if recipe is not None:
            check_recipe(recipe, known)
        params, shared = load_params(stage, cls)
        with tracking(name, tags, main_process=os.environ.get("RANK", "0") == "0") as tracker:
            tracker.params({"seed": shared.seed, stage: params.model_dump(mode="json")})
            main(params, shared, tracker, *of_recipe)
            tracker.metrics({f"{stage}/seconds": time.monotonic() - started})
    print(f"{name}: done in {time.monotonic() - started:.1f} s", flush=True)


@contextmanager
def exits(interrupted: str) -> Iterator[None]:
    """Makes a user's mistake, a failed check and an interruption of the block one sentence and its exit code.

    interrupted: what the sentence of an interruption says to do.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except UserError as error:
        _leave(f"error: {error}", EXIT_USER_ERROR)
    except ValidationFailedError as error:
        _leave(f"validation failed: {error}", EXIT_VALIDATION_FAILED)
    except KeyboardInterrupt:
        _leave(f"interrupted; {interrupted}", EXIT_INTERRUPTED)


def _terminate(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _leave(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    raise typer.Exit(code)
