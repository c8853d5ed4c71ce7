import json

from flows.report import as_markdown, as_text, failure, stage_rows
from flows.runner import StageResult
from flows.tracking import metrics_file, read_metrics, safe_name

RAN = StageResult("prepare", "ran", 3.21, 0)
CRASHED = StageResult("train@gan", "failed", 8.0, 255, -9, "was killed by signal 9")
REFUSED = StageResult("validate", "failed", 1.0, 255, 3, "validation failed: a | b")


def test_a_row_a_stage_also_for_one_that_was_not_started():
    rows = stage_rows(["prepare", "train"], {"prepare": RAN})
    assert rows == [
        {"stage": "prepare", "outcome": "ran", "seconds": 3.2, "message": ""},
        {"stage": "train", "outcome": "not started", "seconds": 0.0, "message": ""},
    ]
    assert as_text(rows).splitlines()[0] == "prepare  ran               3.2 s"


def test_the_table_keeps_its_columns_when_a_message_has_a_bar(tmp_path):
    table = as_markdown(stage_rows(["validate"], {"validate": REFUSED}), tmp_path).splitlines()
    assert table[2] == "| validate | failed | 1.0 | validation failed: a / b |"


def test_the_comparison_is_shown_only_when_it_belongs_to_this_run(tmp_path):
    folder = tmp_path / "reports" / "evaluate"
    folder.mkdir(parents=True)
    (folder / "summary.md").write_text("gan+real wins\n")
    (folder / "report.html").touch()
    done = StageResult("evaluate", "ran", 1.0, 0)
    shown = as_markdown(stage_rows(["evaluate"], {"evaluate": done}), tmp_path)
    assert "gan+real wins" in shown
    assert str(folder / "report.html") in shown
    assert "gan+real wins" not in as_markdown(stage_rows(["evaluate"], {}), tmp_path)


def test_the_first_failure_in_the_order_of_the_pipeline_names_the_reason():
    results = {"train@gan": CRASHED, "validate": REFUSED, "prepare": RAN}
    assert failure(["prepare", "validate", "train@gan"], results) == (
        "ValidationFailed",
        "stage validate: validation failed: a | b (1 more failed)",
    )
    assert failure(["prepare", "train@gan"], {"prepare": RAN, "train@gan": CRASHED})[0] == "Failed"
    assert failure(["prepare"], {"prepare": RAN}) is None
    assert failure(["prepare", "later"], {"prepare": RAN}) == ("Failed", "not started: later")


def test_metrics_are_flat_finite_numbers_under_names_that_mlflow_takes(tmp_path):
    path = metrics_file(tmp_path, "train@gan+real")
    assert path == tmp_path / "reports" / "train" / "gan+real" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"a/b": 1, "r": {"gan+real": {"mean": 0.5, "seeds": [1, 2]}}, "n": float("nan"), "t": "x"})
    )
    assert read_metrics(path) == {"a/b": 1.0, "r.gan-real.mean": 0.5}
    assert read_metrics(tmp_path / "none.json") == {}


def test_safe_name():
    assert safe_name("stage.train@gan+real") == "stage.train-gan-real"
