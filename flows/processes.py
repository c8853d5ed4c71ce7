"""Ending a process together with everything it started."""

import contextlib
import subprocess
import time
from collections.abc import Callable

import psutil

POLL_S = 0.1
MARK_VARIABLE = "HANDFUL_STAGE_RUN"


def kill_tree(root: "subprocess.Popen[str]", mark: str, grace_s: float = 10.0) -> None:
    """End a child process and all that it started: asked first, killed after `grace_s` seconds.

    root: started with the variable HANDFUL_STAGE_RUN set to `mark`, which finds what outlived its own parent. The
    others are asked before the root, which then sees its command fail, gives back its locks and ends by itself.
    Does nothing when all are gone.
    """
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while (left := started_by(root, mark)) and time.monotonic() < deadline:
        below = [process for process in left if process.pid != root.pid]
        for process in below or left:
            if process.pid not in asked:
                asked.add(process.pid)
                _quietly(process.terminate)
        time.sleep(POLL_S)
    while left := started_by(root, mark):
        for process in left:
            _quietly(process.kill)
        time.sleep(POLL_S)
    root.wait()


def started_by(root: "subprocess.Popen[str]", mark: str) -> list[psutil.Process]:
    """The root and every process that it started, directly or not, as far as they still run."""
    found: dict[int, psutil.Process] = {}
    if root.poll() is None:
        try:
            itself = psutil.Process(root.pid)
            found = {process.pid: process for process in [itself, *itself.children(recursive=True)]}
        except psutil.NoSuchProcess:
            pass
    found |= {process.pid: process for process in psutil.process_iter() if _marked(process, mark)}
    return [process for process in found.values() if alive(process)]


def alive(process: psutil.Process) -> bool:
    """Whether the process still runs; one that ended and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK_VARIABLE) == mark
    except (psutil.Error, OSError):
        return False


def _quietly(action: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        action()
