"""The flow as a user starts it, on a small DVC project of its own: order, retries, exit codes, tracking, cancel."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[2]
STAGE = """
import json, os, pathlib, sys, time
name, seconds, plan = sys.argv[1], float(sys.argv[2]), [int(code) for code in sys.argv[3:]]
log = pathlib.Path("log"); log.mkdir(exist_ok=True)
tries = log / f"{name}.tries"
done = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (done + 1))
(log / f"{name}.start").write_text(str(time.time()))
time.sleep(seconds)
(log / f"{name}.end").write_text(str(time.time()))
(log / f"{name}.parent").write_text(os.environ.get("HANDFUL_PARENT_RUN", ""))
code = plan[done] if done < len(plan) else 0
if code:
    print("validation failed: two labels are wrong" if code == 3 else "boom", file=sys.stderr)
    sys.exit(code)
out = pathlib.Path("reports") / name; out.mkdir(parents=True, exist_ok=True)
(out / "metrics.json").write_text(json.dumps({f"{name}/score": 0.25}))
"""


def stage(command: str, needs: list[str]) -> dict[str, object]:
    name = command.split()[0]
    return {
        "cmd": f"python stage.py {command}",
        "deps": ["stage.py", *[f"reports/{need}/metrics.json" for need in needs]],
        "outs": [{f"reports/{name}/metrics.json": {"cache": False}}],
    }


def make_project(root: Path, stages: dict[str, dict[str, object]]) -> Path:
    (root / "stage.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))  # JSON is YAML
    (root / "params.yaml").write_text("seed: 3\n")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True, env=environment())
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    autostage = false\n")
    return root


def environment() -> dict[str, str]:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "HANDFUL_", "MLFLOW_", "DVC_", "GIT_"))
    }
    clean["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])
    return clean | {"PYTHONPATH": str(PROJECT), "DVC_NO_ANALYTICS": "1"}


def query(root: Path, sql: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(root / ".local" / "mlflow.db") as store:
        return store.execute(sql).fetchall()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run in which one stage is up to date, two run side by side, one crashes once and one fails its validation."""
    stages = {
        "old": stage("old 0", []),
        "left": stage("left 3", ["old"]),
        "right": stage("right 3", ["old"]),
        "flaky": stage("flaky 0 1", ["left"]),
        "refused": stage("refused 0 3", ["left", "right"]),
        "never": stage("never 0", ["refused"]),
    }
    root = make_project(tmp_path_factory.mktemp("flow"), stages)
    repro = [sys.executable, "-m", "dvc", "repro", "-q", "old"]
    subprocess.run(repro, cwd=root, check=True, capture_output=True, env=environment())
    flow = [sys.executable, "-m", "flows.pipeline", "--retries", "1"]
    done = subprocess.run(flow, cwd=root, capture_output=True, text=True, env=environment(), timeout=900, check=False)
    return root, done


def seen(root: Path, stage: str, what: str) -> float:
    return float((root / "log" / f"{stage}.{what}").read_text())


def tries(root: Path, stage: str) -> int:
    return len((root / "log" / f"{stage}.tries").read_text())


def test_independent_stages_overlap_and_dependent_ones_wait(finished):
    root, _ = finished
    assert seen(root, "left", "start") < seen(root, "right", "end")
    assert seen(root, "right", "start") < seen(root, "left", "end")
    assert seen(root, "flaky", "start") > seen(root, "left", "end")
    assert seen(root, "refused", "start") > max(seen(root, "left", "end"), seen(root, "right", "end"))


def test_a_crash_is_tried_again_and_a_failed_validation_is_not(finished):
    root, _ = finished
    assert tries(root, "flaky") == 2
    assert (root / "reports" / "flaky" / "metrics.json").exists()
    assert tries(root, "refused") == 1
    assert not (root / "log" / "never.tries").exists()


def test_a_failed_validation_ends_in_its_exit_code_and_one_sentence(finished):
    _, done = finished
    assert done.returncode == 3
    assert "error: stage refused: validation failed: two labels are wrong" in done.stderr.splitlines()
    assert "Traceback" not in done.stdout + done.stderr


def test_the_parent_run_knows_what_happened_to_each_stage(finished):
    root, _ = finished
    tags = dict(query(root, "select key, value from tags where key like 'stage.%'"))
    assert tags == {
        "stage.old": "reused",
        "stage.left": "ran",
        "stage.right": "ran",
        "stage.flaky": "ran",
        "stage.refused": "failed",
    }
    [(parent, status)] = query(root, "select run_uuid, status from runs where name = 'pipeline'")
    assert status == "FAILED"
    assert (root / "log" / "left.parent").read_text() == parent
    assert query(root, f"select key, value from params where run_uuid = '{parent}'") == [("seed", "3")]


def test_a_reused_stage_has_a_child_run_with_its_metrics(finished):
    root, _ = finished
    [(parent,)] = query(root, "select run_uuid from runs where name = 'pipeline'")
    [(child,)] = query(root, "select run_uuid from tags where key = 'reused' and value = 'true'")
    assert query(root, f"select value from tags where key = 'mlflow.parentRunId' and run_uuid = '{child}'") == [
        (parent,)
    ]
    assert query(root, f"select key, value from metrics where run_uuid = '{child}'") == [("old/score", 0.25)]


def test_a_mistake_in_params_ends_at_once_with_exit_code_2(tmp_path):
    root = make_project(tmp_path, {"train": stage("train 0", [])})
    (root / "params.yaml").write_text("train: {epochz: 3}\n")
    flow = [sys.executable, "-m", "flows.pipeline"]
    done = subprocess.run(flow, cwd=root, capture_output=True, text=True, env=environment(), timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "train.epochz is not a known key" in done.stderr
    assert not (root / "log").exists()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run in the middle of a stage that would take a minute."""
    root = make_project(tmp_path, {"long": stage("long 60", []), "later": stage("later 0", ["long"])})
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    flow = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline"],
        cwd=root,
        env=environment() | {"HANDFUL_TRACKING": "off", "HANDFUL_TEST_MARK": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 300
    while not (root / "log" / "long.start").exists() and flow.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    yield root, flow
    for process in left_over(str(root)):
        process.kill()
    flow.wait()


def left_over(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HANDFUL_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("how", ["terminated", "ctrl-c"])
def test_a_flow_that_is_cancelled_leaves_no_process_and_starts_nothing_more(running, how):
    root, flow = running
    assert len(left_over(str(root))) >= 3  # the flow, dvc, the stage
    if how == "terminated":
        flow.terminate()
    else:
        os.killpg(flow.pid, signal.SIGINT)  # as a terminal does
    output, _ = flow.communicate(timeout=300)
    assert left_over(str(root)) == []
    assert flow.returncode == 130, output
    assert not (root / "log" / "long.end").exists()
    assert tries(root, "long") == 1
    assert not (root / "log" / "later.tries").exists()
    assert "interrupted; run the same command to go on" in output.splitlines()
    assert how == "ctrl-c" or "Traceback" not in output  # on Ctrl-C the toy stage prints one of its own
