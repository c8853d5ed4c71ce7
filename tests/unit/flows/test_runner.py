"""Stages of a real DVC project, run and stopped for real."""

import json
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from flows.runner import StageRunner

LOOSE = "import subprocess, sys, time; subprocess.Popen(['sleep', '61']); print('begun', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(60)"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    for name, code in {"loose": LOOSE, "stubborn": STUBBORN}.items():
        (tmp_path / f"{name}.py").write_text(code)
    stages = {
        "fine": {"cmd": "echo $GREETING > fine.txt", "outs": ["fine.txt"]},
        "loose": {"cmd": ["echo first", "python loose.py"]},
        "stubborn": {"cmd": "python stubborn.py"},
        "refused": {"cmd": 'python -c "import sys; sys.exit(3)"'},
    }
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    return tmp_path


def inside(folder: Path) -> list[str]:
    """The command lines of the processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_a_stage_runs_with_its_variables_and_is_reused_the_second_time(project):
    lines: list[str] = []
    runner = StageRunner(project)
    first = runner.run("fine", lines.append, {"GREETING": "hello"})
    assert (first.outcome, first.exit_code, first.message) == ("ran", 0, "")
    assert (project / "fine.txt").read_text() == "hello\n"
    assert "Running stage 'fine':" in lines
    assert runner.run("fine", lines.append).outcome == "reused"


def test_the_stages_own_exit_code_comes_through(project):
    result = StageRunner(project).run("refused", print)
    assert (result.exit_code, result.stage_code, result.crashed) == (255, 3, False)


def test_a_time_out_ends_the_stage_with_all_it_started(project):
    for timeout in (3.0, 60.0):  # the second for a machine so busy that the stage has not begun after the first
        lines: list[str] = []
        result = StageRunner(project, timeout_s=timeout, grace_s=3).run("loose", lines.append)
        if "begun" in lines:
            break
    assert "begun" in lines
    assert result.timed_out
    assert not result.crashed
    assert result.seconds < timeout + 30
    assert inside(project) == []


def test_a_stage_that_does_not_listen_is_killed_when_the_run_is_stopped(project):
    runner, begun, results = StageRunner(project, grace_s=1), threading.Event(), []
    worker = threading.Thread(
        target=lambda: results.append(runner.run("stubborn", lambda line: begun.set() if line == "begun" else None))
    )
    worker.start()
    assert begun.wait(120)
    started = time.monotonic()
    runner.stop()
    assert inside(project) == []
    assert time.monotonic() - started < 30
    worker.join()
    assert results[0].outcome == "failed"
    assert runner.run("fine", print).message == "the run was stopped"


def test_when_dvc_itself_is_killed_its_stage_does_not_live_on(project):
    def kill_dvc(line: str) -> None:
        if line == "begun":
            [dvc] = [p for p in psutil.Process().children() if "repro" in p.cmdline()]
            dvc.kill()

    result = StageRunner(project, grace_s=2).run("loose", kill_dvc)
    assert result.exit_code == -9
    assert result.crashed
    assert inside(project) == []
