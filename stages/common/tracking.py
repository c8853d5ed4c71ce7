"""Tracking with MLflow, which never stops or delays a stage.

All calls are queued to one thread that imports MLflow, opens the run and logs; a failure there is said once and the
rest is dropped. A flow hands its run down in HANDFUL_PARENT_RUN; a stage on its own makes a run without a parent.
"""

import os
import queue
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from stages.common.paths import project_root

PARENT_VARIABLE = "HANDFUL_PARENT_RUN"
EXPERIMENT_VARIABLE = "HANDFUL_EXPERIMENT"
SWITCH_VARIABLE = "HANDFUL_TRACKING"
CLOSE_TIMEOUT_S = 120.0
MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}
Result = TypeVar("Result")


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or a SQLite file in the project's `.local` folder."""
    local = (project_root() / ".local").resolve()
    local.mkdir(parents=True, exist_ok=True)
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{local / 'mlflow.db'}"


def open_experiment() -> Any:
    """The mlflow module, pointed at the store and the experiment; both are made under a lock when they are new."""
    for name, value in MLFLOW_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import logging

    import mlflow
    from filelock import FileLock

    warnings.filterwarnings("ignore", module="mlflow")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    with FileLock((project_root() / ".local" / "mlflow.lock").resolve()):
        name = os.environ.get(EXPERIMENT_VARIABLE, "handful")
        if uri.startswith("sqlite") and mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(
                name, artifact_location=(project_root() / ".local" / "artifacts").resolve().as_uri()
            )
        mlflow.set_experiment(name)
    return mlflow


SCRATCH_MESSAGE = "Scratch copy of "


def git_tags() -> dict[str, str]:
    """The commit, whether the tree differs from it, what it is a scratch copy of, if one; empty outside of git."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        message = subprocess.run(["git", "log", "-1", "--format=%s"], capture_output=True, text=True, check=True).stdout
        changes = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    origin = (
        {"git.origin": message.strip().removeprefix(SCRATCH_MESSAGE)} if message.startswith(SCRATCH_MESSAGE) else {}
    )
    return {"git.commit": commit, "git.dirty": str(bool(changes.stdout.strip())).lower(), **origin}


class Tracker:
    """Queues what a stage logs. `Tracker(None)` drops everything."""

    def __init__(self, run_name: str | None, tags: Mapping[str, str] | None = None) -> None:
        self.run_name, self.tags = run_name, dict(tags or {})
        self._calls: queue.SimpleQueue[Callable[[Any], None] | None] = queue.SimpleQueue()
        self._failed = run_name is None
        self._status = "FINISHED"
        self._thread = threading.Thread(target=self._work, daemon=True, name="tracking")
        if run_name is not None:
            self._thread.start()

    def _work(self) -> None:
        try:
            mlflow = open_experiment()
            mlflow.start_run(
                run_name=self.run_name,
                parent_run_id=os.environ.get(PARENT_VARIABLE),
                tags={**git_tags(), **self.tags},
                log_system_metrics=True,
            )
            while (call := self._calls.get()) is not None:
                call(mlflow)
            mlflow.end_run(self._status)
        except Exception as error:
            self._failed = True
            print(f"tracking is off for this stage: {type(error).__name__}: {error}", file=sys.stderr)

    def _send(self, call: Callable[[Any], None]) -> None:
        if not self._failed:
            self._calls.put(call)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters; nested mappings become dotted names."""
        flat = {name: str(value)[:500] for name, value in flatten(values).items()}
        self._send(lambda mlflow: mlflow.log_params(flat))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers of one step, in one batch."""
        copied = {name: float(value) for name, value in values.items()}
        self._send(lambda mlflow: mlflow.log_metrics(copied, step=step))

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or a picture, as it is at the end of the stage."""
        self._send(lambda mlflow: mlflow.log_artifact(str(path), folder))

    def dataset(self, frame: Any, name: str, source: Path, context: str) -> None:
        """Log where a data frame came from, with its digest."""

        def log(mlflow: Any) -> None:
            numbers = frame.select_dtypes("number").astype("float64")
            mlflow.log_input(mlflow.data.from_pandas(numbers, source=str(source.resolve()), name=name), context=context)

        self._send(log)

    def call(self, function: Callable[[Any], Result], timeout_s: float = CLOSE_TIMEOUT_S) -> Result | None:
        """Run function(mlflow) inside the run and wait for its result; None when tracking is off or it fails."""
        if self._failed:
            return None
        answer: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._send(lambda mlflow: answer.put(function(mlflow)))
        for _ in range(int(timeout_s * 10)):
            try:
                return answer.get(timeout=0.1)
            except queue.Empty:
                if not self._thread.is_alive():
                    break
        return None

    def close(self, failed: bool = False) -> None:
        """End the run, waiting for what is queued."""
        self._status = "FAILED" if failed else "FINISHED"
        self._calls.put(None)
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} -> {'a.b': 1}."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


@contextmanager
def tracking(run_name: str, tags: Mapping[str, str] | None = None, main_process: bool = True) -> Iterator[Tracker]:
    """A tracker for the block; HANDFUL_TRACKING=off, or another process than the main one, drops everything."""
    off = not main_process or os.environ.get(SWITCH_VARIABLE, "on").lower() in {"off", "0", "false"}
    tracker = Tracker(None if off else run_name, tags)
    try:
        yield tracker
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close()
