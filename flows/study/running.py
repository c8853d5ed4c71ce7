"""One run of a study: params.yaml of the copy, then `dvc repro evaluate` in it."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.graph import LAST
from flows.overlay import apply_overlay, merged, with_absolute_path
from flows.processes import MARK_VARIABLE, kill_tree
from flows.runner import TAIL_LINES, StageResult, child_environment, judge
from flows.scratch import copy_project, origin, renew_copy, share_cache, start_repository
from stages.common.params import read_yaml
from stages.common.tracking import EXPERIMENT_VARIABLE

PARAMS = Path("params.yaml")


def open_copy(root: Path, copy: Path) -> str:
    """A scratch copy of the project, new or brought up to date, with the DVC cache of the project; a sentence about it.

    Raises UserError.
    """
    if copy.exists() and any(copy.iterdir()):
        renewed = renew_copy(root, copy, origin())
        return f"{copy}: going on" + (f" with {renewed} changed files of the project" if renewed else "")
    count = copy_project(root, copy)
    start_repository(copy, origin())
    share_cache(root, copy)
    return f"{copy}: {count} files copied"


@dataclass(frozen=True)
class ProjectParams:
    """params.yaml of the project as it was read, so that all runs of a study have the same.

    values: what its text says.
    """

    text: str
    values: dict[str, Any]

    def with_overlay(self, overlay: Mapping[str, Any]) -> dict[str, Any]:
        """The params with the overlay, as a copy elsewhere needs them."""
        whole = merged(self.values, overlay)
        return with_absolute_path(whole, whole)

    def write(self, copy: Path, overlay: Mapping[str, Any]) -> None:
        """params.yaml of the copy: this one with the overlay, its comments kept."""
        (copy / PARAMS).write_text(self.text, encoding="utf-8")
        apply_overlay(copy / PARAMS, with_absolute_path(self.with_overlay(overlay), overlay))


def read_project_params() -> ProjectParams:
    """Raises UserError for a params.yaml that is missing or no mapping."""
    values = read_yaml(PARAMS)
    return ProjectParams(PARAMS.read_text(encoding="utf-8"), values)


def reproduce(copy: Path, log: Path, experiment: str) -> StageResult:
    """`dvc repro evaluate` in the copy, its output in `log`. experiment: in the copy's MLflow, unless one is set."""
    started, mark = time.monotonic(), uuid.uuid4().hex
    variables = {MARK_VARIABLE: mark, EXPERIMENT_VARIABLE: os.environ.get(EXPERIMENT_VARIABLE, experiment)}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", LAST],
            cwd=copy,
            env=child_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            process.wait()
        finally:
            kill_tree(process, mark)
    tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return judge(LAST, time.monotonic() - started, process.returncode, tail)
