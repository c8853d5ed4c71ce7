"""The loop over the runs of a study."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from flows.scratch import project_files
from flows.study.chart import draw_curve
from flows.study.description import Study
from flows.study.lines import levels, lines, measure_of
from flows.study.plan import Run
from flows.study.results import Result, collect, read_results, write_results
from flows.study.running import open_copy, read_project_params, reproduce
from flows.study.table import table, text
from stages.common.digests import tree_digest
from stages.common.errors import UserError
from stages.common.paths import write_atomically
from stages.common.progress import Progress

REPORTS = Path("reports/study")
DIGITS = 3


class Session:
    """Runs a study in its scratch copy; whatever is done is in the tables after each run."""

    def __init__(self, name: str, title: str, study: Study, runs: Sequence[Run], copy: Path) -> None:
        self.name, self.title, self.study, self.runs, self.copy = name, title, study, runs, copy
        self.reports, self.params = copy / REPORTS, read_project_params()

    def run(self) -> None:
        """All runs that results.csv does not have. Raises UserError at the end when some of them failed."""
        with _alone(self.copy):
            print(open_copy(Path.cwd(), self.copy), flush=True)
            failed = self._run_all()
        if failed:
            more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
            raise UserError(f"{failed[0]}{more}")
        print(f"see {self.reports / 'table.md'}", flush=True)

    def known(self) -> list[Result | None]:
        """The result of each run, None when there is none yet; runs of equal params share one."""
        return self._results(self._keys(), read_results(self.reports / "results.csv", self.study))

    def _run_all(self) -> list[str]:
        keys, found = self._keys(), read_results(self.reports / "results.csv", self.study)
        failed: dict[str, str] = {}
        self._write(keys, found)  # a row may have come, gone or changed its name without a run to do
        progress = Progress(f"study {self.name}", len(self.runs), unit="run")
        for number, (key, run) in enumerate(zip(keys, self.runs, strict=True), start=1):
            if key not in found and key not in failed:
                label = f"{number}/{len(self.runs)} {run.title}"
                print(f"{label} ...", flush=True)
                try:
                    found[key], seconds = self._one(run, key, self.reports / "logs" / f"{number:03d}.log")
                    print(f"{label}: {text(found[key].score, DIGITS)} in {seconds:.0f} s", flush=True)
                except UserError as error:
                    failed[key] = f"{run.title}: {error}"
                    print(f"{label}: {error}", flush=True)
                self._write(keys, found)
            progress.update(number)
        return list(failed.values())

    def _results(self, keys: Sequence[str], found: Mapping[str, Result]) -> list[Result | None]:
        pairs = zip(keys, self.runs, strict=True)
        return [replace(found[key], row=run.row, value=run.value) if key in found else None for key, run in pairs]

    def _one(self, run: Run, key: str, log: Path) -> tuple[Result, float]:
        self.params.write(self.copy, run.overlay)
        outcome = reproduce(self.copy, log, f"study {self.name}")
        if outcome.outcome == "failed":
            raise UserError(f"{outcome.message.removeprefix('error: ')}; see {log}")
        return collect(self.copy, self.study, run, key), outcome.seconds

    def _keys(self) -> list[str]:
        code = code_digest(Path.cwd())
        return [self._key(self.params.with_overlay(run.overlay), code) for run in self.runs]

    def _key(self, params: dict[str, Any], code: str) -> str:
        asked = {"params": params, "code": code, "columns": self.study.columns, "level": self.study.level}
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    def _write(self, keys: Sequence[str], found: Mapping[str, Result]) -> None:
        results = [each for each in self._results(keys, found) if each is not None]
        if not results:
            return
        write_results(self.reports / "results.csv", results, list(self.study.columns))
        write_atomically(self.reports / "table.md", table(self.title, self.study, results).encode())
        if self.study.axis:
            curves, level = lines(results), levels(results, self.study.level)
            draw_curve(self.reports / "curve.png", self.study.axis, measure_of(results), curves, level)


def code_digest(copy: Path) -> str:
    """Digest of the pipeline and of all code of stages: what a score depends on beside the params."""
    names = [name for name in project_files(copy) if name == "dvc.yaml" or name.startswith("stages/")]
    return tree_digest(copy / name for name in sorted(names))


@contextmanager
def _alone(copy: Path) -> Iterator[None]:
    """Raises UserError when another study is at work in the copy."""
    from filelock import FileLock, Timeout

    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(copy.with_name(f".{copy.name}.lock"), timeout=0):
            yield
    except Timeout:
        raise UserError(f"{copy}: another study runs there; wait for it, or name another folder with --into") from None
