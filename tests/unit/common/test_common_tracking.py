"""Tracking: runs, parents, and that it never stops a stage."""

import pytest

from stages.common import tracking


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(tracking.SWITCH_VARIABLE, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


def test_a_stage_logs_params_and_metrics_as_a_child_of_the_flow(store, monkeypatch):
    with tracking.tracking("flow") as flow:
        parent = flow.call(lambda mlflow: mlflow.active_run().info.run_id)
    monkeypatch.setenv(tracking.PARENT_VARIABLE, parent)
    with tracking.tracking("label", {"stage": "label"}) as track:
        track.params({"label": {"members": 3, "inner": {"a": 1}}})
        track.metrics({"label/loss": 0.5}, step=2)
        run = track.call(lambda mlflow: mlflow.active_run().info.run_id)
    import mlflow

    found = mlflow.MlflowClient(tracking.tracking_uri()).get_run(run)
    assert found.data.params == {"label.members": "3", "label.inner.a": "1"}
    assert found.data.metrics["label/loss"] == 0.5
    assert found.data.tags["mlflow.parentRunId"] == parent
    assert found.info.status == "FINISHED"


def test_a_store_that_is_down_is_said_once_and_stops_nothing(store, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with tracking.tracking("label") as track:
        for _ in range(3):
            track.metrics({"a": 1.0})
        assert track.call(lambda mlflow: 1) is None
    assert capsys.readouterr().err.count("tracking is off") == 1


def test_switched_off_it_does_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(tracking.SWITCH_VARIABLE, "off")
    with tracking.tracking("label") as track:
        track.metrics({"a": 1.0})
        assert track.call(lambda mlflow: 1) is None
    assert list(tmp_path.iterdir()) == []
