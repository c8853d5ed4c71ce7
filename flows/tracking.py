"""The pipeline run in MLflow: one parent run over the runs of the stages."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.graph import family
from flows.runner import StageResult
from stages.common.tracking import Tracker, flatten

NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")
LABELS = "label@gan"  # repeated by recipe, yet the figures of this one are looked for in the run as a whole
PARAMS_A_CALL = 90  # MLflow takes at most 100 in one request


def run_id(tracker: Tracker) -> str | None:
    """The id of the tracker's run, once it is open; None when tracking is off or fails."""
    return tracker.call(lambda mlflow: str(mlflow.active_run().info.run_id))


def log_params(tracker: Tracker, values: Mapping[str, Any]) -> None:
    """Log the whole of params.yaml."""
    flat = list(flatten(values).items())
    for start in range(0, len(flat), PARAMS_A_CALL):
        tracker.params(dict(flat[start : start + PARAMS_A_CALL]))


def log_results(tracker: Tracker, root: Path, results: Mapping[str, StageResult]) -> None:
    """What happened to each stage as tags, the headline metrics of this run, and a child run a reused stage."""
    tags = {safe_name(f"stage.{stage}"): result.outcome for stage, result in results.items()}
    tracker.call(lambda mlflow: mlflow.set_tags(tags))
    for stage, result in results.items():
        metrics = {} if result.outcome == "failed" else read_metrics(metrics_file(root, stage))
        if stage in (family(stage), LABELS) and metrics:
            tracker.metrics(metrics)
        if result.outcome == "reused":
            _log_reused(tracker, stage, metrics)


def _log_reused(tracker: Tracker, stage: str, metrics: dict[str, float]) -> None:
    name, _, recipe = stage.partition("@")
    tags = {"stage": name, "kind": "stage", "reused": "true"} | ({"recipe": recipe} if recipe else {})

    def log(mlflow: Any) -> None:
        parent = mlflow.active_run().info
        client = mlflow.MlflowClient()
        child = client.create_run(
            parent.experiment_id, run_name=stage, tags={**tags, "mlflow.parentRunId": parent.run_id}
        ).info.run_id
        for metric, value in metrics.items():
            client.log_metric(child, metric, value)
        client.set_terminated(child)

    tracker.call(log)


def metrics_file(root: Path, stage: str) -> Path:
    """reports/train/gan/metrics.json for `train@gan`."""
    return root / "reports" / stage.replace("@", "/") / "metrics.json"


def read_metrics(path: Path) -> dict[str, float]:
    """The numbers of a metrics file by flat names that MLflow takes; empty when there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    flat = flatten(content) if isinstance(content, dict) else {}
    numbers = {name: value for name, value in flat.items() if isinstance(value, (int, float))}
    return {safe_name(name): float(value) for name, value in numbers.items() if math.isfinite(value)}


def safe_name(name: str) -> str:
    """The name with `-` for every character that MLflow refuses, such as the @ and + of `train@gan+real`."""
    return NOT_IN_NAMES.sub("-", name)
