"""How every stage starts and ends: params, tracking, one sentence for a mistake, its exit code."""

import os
import signal
import sys
import time
from collections.abc import Callable
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
from stages.common.recipes import check_recipe
from stages.common.tracking import tracking

RecipeOption = Annotated[str, typer.Option(help="Which training set to make or use, for example gan or gan+real.")]


def run_stage(stage: str, cls: type[Params], main: Callable[..., None], description: str | None) -> None:
    """Run main(params, shared, tracker) as a command with `--help`."""
    app = stage_app(description)

    @app.command(help=description)
    def command() -> None:
        guarded(stage, cls, main, stage)

    app()


def run_recipe_stage(stage: str, cls: type[Params], main: Callable[..., None], description: str | None) -> None:
    """Run main(params, shared, tracker, recipe) as a command with `--recipe` and `--help`."""
    app = stage_app(description)

    @app.command(help=description)
    def command(recipe: RecipeOption) -> None:
        guarded(stage, cls, main, f"{stage}@{recipe}", recipe)

    app()


def stage_app(description: str | None) -> typer.Typer:
    """The command of a stage, yet without what it does."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=description)


def guarded(stage: str, cls: type[Params], main: Callable[..., None], name: str, *arguments: Any) -> None:
    """Run main(params, shared, tracker, *arguments) as the run `name`; the first of the arguments is a recipe.

    A mistake of the user ends it in one sentence, with the exit code that belongs to it.
    """
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _terminate)
    tags = {"stage": stage, "kind": "stage"} | ({"recipe": str(arguments[0])} if arguments else {})
    tags |= {key: os.environ[key] for key in ("DVC_EXP_NAME",) if key in os.environ}
    try:
        if arguments:
            check_recipe(str(arguments[0]))
        params, shared = load_params(stage, cls)
        with tracking(name, tags, main_process=os.environ.get("RANK", "0") == "0") as tracker:
            tracker.params({"seed": shared.seed, stage: params.model_dump(mode="json")})
            main(params, shared, tracker, *arguments)
            tracker.metrics({f"{stage}/seconds": time.monotonic() - started})
    except UserError as error:
        _leave(f"error: {error}", EXIT_USER_ERROR)
    except ValidationFailedError as error:
        _leave(f"validation failed: {error}", EXIT_VALIDATION_FAILED)
    except KeyboardInterrupt:
        _leave("interrupted; run the same command again to go on", EXIT_INTERRUPTED)
    print(f"{name}: done in {time.monotonic() - started:.1f} s", flush=True)


def _terminate(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _leave(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    raise typer.Exit(code)
