"""Run a study and write its table and curve: `python -m flows.study NAME`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.exits import one_sentence
from flows.overlay import described, listed, preset_path, setting
from flows.scratch import refuse_file
from flows.study.description import read_study
from flows.study.plan import planned
from flows.study.session import Session
from stages.common.errors import UserError

STUDIES, COPIES = Path("studies"), Path(".local/studies")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    name: Annotated[str | None, typer.Argument(help="The study: studies/NAME.yaml.")] = None,
    into: Annotated[Path | None, typer.Option(help="The scratch copy; .local/studies/NAME without it.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every run; repeatable.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the studies.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the runs and do nothing.")] = False,
) -> None:
    """Run the pipeline for every row and value of a study, in a scratch copy that goes on where it was.

    The code of an earlier copy is brought up to that of the project; DVC redoes what depends on it. Exit code 2 for a
    mistake or a failed run; the others are run all the same.
    """
    with one_sentence():
        if list_ or name is None:
            print(listed({name: _about(name, comment) for name, comment in described(STUDIES).items()}))
        else:
            study(name, into or COPIES / name, set_ or [], dry_run)


def study(name: str, copy: Path, settings: list[str], dry_run: bool) -> None:
    """Check the study and all its runs, then run it. Raises UserError."""
    refuse_file(copy)  # before the lock, which lies beside it
    source = preset_path(STUDIES, name, "study")
    title = described(STUDIES)[name].rstrip(".") or name
    content = read_study(source)
    runs = planned(content, source, [setting(text) for text in settings])
    session = Session(name, title, content, runs, copy)
    if not dry_run:
        session.run()
        return
    for number, (run, result) in enumerate(zip(runs, session.known(), strict=True), start=1):
        print(f"{number:>3}  {run.title}: {', '.join(run.recipes)}{' (done)' if result else ''}")


def _about(name: str, comment: str) -> str:
    """What --list says of a file: its comment, or why it is no study."""
    try:
        read_study(STUDIES / f"{name}.yaml")
    except UserError as error:
        return f"no study to run: {error}"
    return comment


if __name__ == "__main__":
    app()
