"""How a command that starts stages ends when something goes wrong."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from stages.common.errors import EXIT_INTERRUPTED, EXIT_USER_ERROR, UserError


@contextmanager
def one_sentence() -> Iterator[None]:
    """A UserError, Ctrl-C or SIGTERM within ends the command in one sentence and with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except UserError as error:
        _leave(f"error: {error}", EXIT_USER_ERROR)
    except KeyboardInterrupt:
        _leave("interrupted; run the same command to go on", EXIT_INTERRUPTED)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    raise typer.Exit(code)
