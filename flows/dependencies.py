"""Keep the code listed in dvc.yaml true: `python -m flows.dependencies` compares, `--write` corrects."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from stages.common.code import ROOT, code_dependencies
from stages.common.params import stage_names

STAGE = re.compile(r"^  (\w+):$")
CODE = re.compile(r"^(\s+)- (stages/\S+)$")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def corrected(pipeline: str, root: Path = ROOT) -> str:
    """The text of a dvc.yaml with the code that each stage really imports, in place of what it lists."""
    lines: list[str] = []
    stage, done = "", set[str]()
    for line in pipeline.splitlines():
        if found := STAGE.match(line):
            stage = found[1]
        if not (listed := CODE.match(line)):
            lines.append(line)
        elif stage not in done:
            done.add(stage)
            lines += [f"{listed[1]}- {path}" for path in code_dependencies(stage, root)]
    return "\n".join(lines) + "\n"


def with_code(pipeline: str) -> set[str]:
    """The stages of a dvc.yaml that list code at all."""
    found: set[str] = set()
    stage = ""
    for line in pipeline.splitlines():
        stage = match[1] if (match := STAGE.match(line)) else stage
        found |= {stage} if CODE.match(line) else set()
    return found


@app.command()
def main(write: Annotated[bool, typer.Option("--write", help="Correct dvc.yaml.")] = False) -> None:
    """Compare the code listed in dvc.yaml with what the stages import; exit code 1 when they differ."""
    path = Path("dvc.yaml")
    if not path.is_file():
        print("error: dvc.yaml: no such file; run from the project folder", file=sys.stderr)
        raise typer.Exit(2)
    old = path.read_text()
    new = corrected(old, Path.cwd())
    if bare := sorted(set(stage_names()) - with_code(old)):
        print(f"error: dvc.yaml: {bare[0]} lists no code; add `- stages/{bare[0]}` to its deps", file=sys.stderr)
        raise typer.Exit(2)
    if old == new:
        print("dvc.yaml lists the code that each stage imports")
    elif write:
        path.write_text(new)
        print("dvc.yaml corrected; see `git diff dvc.yaml`")
    else:
        print("error: dvc.yaml does not list the code that the stages import; run with --write", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
