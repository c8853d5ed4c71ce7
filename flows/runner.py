"""One stage as a child process: live output, a time-out that holds, nothing left behind."""

import contextvars
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.processes import MARK_VARIABLE, kill_tree
from stages.common.errors import EXIT_INTERRUPTED, EXIT_USER_ERROR, EXIT_VALIDATION_FAILED

Outcome = Literal["ran", "reused", "failed"]
TAIL_LINES = 200
# dvc ends with 255 whatever the stage ended with; the stage's own code is in its last message alone.
FAILED_LINE = re.compile(r"^ERROR: failed to reproduce '.*?': (.*?)(?:, exited with (-?\d+))?$", re.M)
OWN_SENTENCE = re.compile(r"^(?:error|validation failed): .+")
LOCK_TROUBLE = re.compile(r"Unable to acquire lock|is busy, it is being blocked by")
SIGNAL_EXIT = 128
DVC_HINTS = (
    "To track the changes",
    "\tgit add",
    "To enable auto staging",
    "\tdvc config core.autostage",
    "Use `dvc push`",
)


@dataclass(frozen=True)
class StageResult:
    """How one stage went.

    exit_code: dvc's. stage_code: the stage's own, None when its command did not run to its end. message: one
    sentence about a failure, "" otherwise.
    """

    stage: str
    outcome: Outcome
    seconds: float
    exit_code: int
    stage_code: int | None = None
    message: str = ""
    timed_out: bool = False

    @property
    def crashed(self) -> bool:
        """Whether another try can help: not after a user's mistake, failed labels, an interrupt or a time-out."""
        if self.outcome != "failed" or self.timed_out:
            return False
        if self.stage_code is None:
            return self.exit_code < 0 or LOCK_TROUBLE.search(self.message) is not None
        return self.stage_code not in {EXIT_USER_ERROR, EXIT_VALIDATION_FAILED, EXIT_INTERRUPTED}


class StageRunner:
    """Runs stages of the DVC project in `root`, at most `timeout_s` seconds each, until it is stopped."""

    def __init__(self, root: Path, timeout_s: float | None = None, grace_s: float = 10.0) -> None:
        self.root, self.timeout_s, self.grace_s = root, timeout_s, grace_s
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[str]] = {}

    def run(self, stage: str, log: Callable[[str], None], variables: Mapping[str, str] | None = None) -> StageResult:
        """Bring one stage up to date; each line of its output goes to `log` as it comes."""
        started, mark, tail = time.monotonic(), uuid.uuid4().hex, deque[str](maxlen=TAIL_LINES)
        process = self._start(stage, mark, variables or {})
        if process is None:
            return StageResult(stage, "failed", 0.0, -1, EXIT_INTERRUPTED, "the run was stopped")
        reader = threading.Thread(target=contextvars.copy_context().run, args=(_follow, process, tail, log))
        reader.start()
        expired = False
        try:
            process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            expired = True
        finally:
            kill_tree(process, mark, self.grace_s)
            reader.join()
            with self._lock:
                self._running.pop(mark)
        seconds = time.monotonic() - started
        if expired:
            sentence = f"stopped by its time-out of {self.timeout_s:.0f} s"
            return StageResult(stage, "failed", seconds, process.returncode, None, sentence, timed_out=True)
        return judge(stage, seconds, process.returncode, list(tail))

    def stop(self) -> None:
        """End all that runs, with all it started, and start nothing more. Returns when it is gone."""
        with self._lock:
            self.stopped.set()
            running = dict(self._running)
        killers = [
            threading.Thread(target=kill_tree, args=(process, mark, self.grace_s)) for mark, process in running.items()
        ]
        for killer in killers:
            killer.start()
        for killer in killers:
            killer.join()

    def _start(self, stage: str, mark: str, variables: Mapping[str, str]) -> subprocess.Popen[str] | None:
        # No session of its own: a kill of this process group has to reach the stage too.
        with self._lock:
            if self.stopped.is_set():
                return None
            self._running[mark] = process = subprocess.Popen(
                [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage],
                cwd=self.root,
                env=child_environment({**variables, MARK_VARIABLE: mark}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            return process


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment for dvc as a child process, with these variables."""
    # The stage's command says `python`: it has to be the one that runs the flow.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", **variables}


def _follow(process: subprocess.Popen[str], tail: deque[str], log: Callable[[str], None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line := line.rstrip():
            tail.append(line)
            if not line.startswith(DVC_HINTS):
                log(line)


def judge(stage: str, seconds: float, code: int, tail: list[str]) -> StageResult:
    """What the end of dvc's output and its exit code say about the stage."""
    if code == 0:
        reused = {f"Stage '{stage}' didn't change, skipping", f"Stage '{stage}' is cached - skipping run"}
        unchanged = any(line.startswith(tuple(reused)) for line in tail)
        return StageResult(stage, "reused" if unchanged else "ran", seconds, code)
    failures = list(FAILED_LINE.finditer("\n".join(tail)))
    stage_code = int(failures[-1][2]) if failures and failures[-1][2] else None
    if stage_code is not None and stage_code > SIGNAL_EXIT and stage_code != EXIT_INTERRUPTED:
        stage_code = SIGNAL_EXIT - stage_code  # a shell's way to say that a signal ended its child
    return StageResult(stage, "failed", seconds, code, stage_code, _sentence(tail, failures, code, stage_code))


def _sentence(tail: list[str], failures: list[re.Match[str]], code: int, stage_code: int | None) -> str:
    if own := [line for line in tail if OWN_SENTENCE.match(line)]:
        return own[-1]
    if stage_code is not None:
        ended = f"was killed by signal {-stage_code}" if stage_code < 0 else f"exited with {stage_code}"
        said = [line for line in tail if not line.startswith(("ERROR: failed to reproduce", "> ", "Running stage"))]
        return f"{ended}; its last line: {said[-1]}" if said else ended
    if failures:
        return failures[-1][1]
    errors = [line for line in tail if line.startswith("ERROR: ")]
    return errors[-1].removeprefix("ERROR: ") if errors else f"dvc ended with {code}"
