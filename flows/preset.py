"""Apply a preset to params.yaml, or make a scratch copy of the project with it: `python -m flows.preset`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.overlay import Change, apply_overlay, check_overlay, described, merged, preset_path, setting
from flows.scratch import copy_project, start_repository
from stages.common.errors import EXIT_USER_ERROR, UserError
from stages.common.params import read_yaml
from stages.common.tracking import git_tags

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
            _show_presets()
        else:
            use(name, [setting(text) for text in set_ or []], into)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_USER_ERROR) from None


def use(name: str, settings: list[dict[str, Any]], into: Path | None) -> None:
    """Check the preset with the settings over it, then write it here or into a copy. Raises UserError."""
    source = preset_path(PRESETS, name)
    overlay = _content(source)
    check_overlay(PARAMS, overlay, source)
    for values in settings:
        overlay = merged(overlay, values)
        check_overlay(PARAMS, overlay, Path("--set"))
    if into is None:
        _show_changes(apply_overlay(PARAMS, overlay))
        return
    count = copy_project(Path.cwd(), into)
    overlay = _with_absolute_path(merged(read_yaml(PARAMS), overlay), overlay)
    _show_changes(apply_overlay(into / PARAMS, overlay))
    tags = git_tags()
    changed = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
    start_repository(into, tags.get("git.commit", "a project without commits") + changed)
    print(f"{count} files copied; next: cd {into} && dvc repro evaluate")


def _with_absolute_path(whole: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """The overlay for a copy elsewhere: a relative `prepare.path` in the whole params was meant from here."""
    path = whole.get("prepare", {}).get("path")
    return merged(overlay, {"prepare": {"path": str(Path(path).resolve())}}) if path else overlay


def _content(source: Path) -> dict[str, Any]:
    # A preset of comments alone is the defaults.
    return read_yaml(source) if any(_is_content(line) for line in source.read_text().splitlines()) else {}


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _show_presets() -> None:
    presets = described(PRESETS)
    width = max((len(name) for name in presets), default=0)
    for name, comment in presets.items():
        print(f"{name:<{width}}  {comment}")


def _show_changes(changes: list[Change]) -> None:
    for key, old, new in changes:
        print(f"{key}: {'its default' if old is None else old} -> {new}")
    if not changes:
        print("params.yaml has these values already")


if __name__ == "__main__":
    app()
