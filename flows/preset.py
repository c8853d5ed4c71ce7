"""Apply a preset to params.yaml, or make a scratch copy of the project with it: `python -m flows.preset`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.overlay import (
    Change,
    apply_overlay,
    catalogue,
    check_overlay,
    merged,
    preset_path,
    read_overlay,
    setting,
    with_absolute_path,
)
from flows.scratch import copy_project, origin, start_repository
from stages.common.errors import EXIT_USER_ERROR, UserError
from stages.common.params import read_yaml

PRESETS, PARAMS = Path("presets"), Path("params.yaml")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    name: Annotated[str | None, typer.Argument(help="The preset: presets/NAME.yaml.")] = None,
    into: Annotated[Path | None, typer.Option(help="Copy the project here and change the copy alone.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value over the preset; repeatable.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the presets.")] = False,
) -> None:
    """Change params.yaml to a preset, keeping its comments; exit code 2 for an unknown preset or key."""
    try:
        if name is None and (set_ or into):
            raise UserError(
                "name a preset first, such as `python -m flows.preset smoke --set seed=5`; --list shows them"
            )
        if list_ or name is None:
            print(catalogue(PRESETS))
        else:
            use(name, [setting(text) for text in set_ or []], into)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_USER_ERROR) from None


def use(name: str, settings: list[dict[str, Any]], into: Path | None) -> None:
    """Check the preset with the settings over it, then write it here or into a copy. Raises UserError."""
    source = preset_path(PRESETS, name)
    overlay = read_overlay(source)
    check_overlay(PARAMS, overlay, source)
    for values in settings:
        overlay = merged(overlay, values)
    check_overlay(PARAMS, overlay, Path("--set"))
    if into is None:
        _show_changes(apply_overlay(PARAMS, overlay))
        return
    count = copy_project(Path.cwd(), into)
    overlay = with_absolute_path(merged(read_yaml(PARAMS), overlay), overlay)
    _show_changes(apply_overlay(into / PARAMS, overlay))
    start_repository(into, origin())
    print(f"{count} files copied; next: cd {into} && dvc repro evaluate")


def _show_changes(changes: list[Change]) -> None:
    for key, old, new in changes:
        print(f"{key}: {'its default' if old is None else old} -> {new}")
    if not changes:
        print("params.yaml has these values already")


if __name__ == "__main__":
    app()
