"""A study as a user starts it, on real digits at tiny size: table, curve, and going on where it was."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from flows.scratch import copy_project, start_repository

ROOT = Path(__file__).resolve().parents[2]
STUDY = """\
# Tiny digits.
set:
  device: cpu
  prepare: {labeled: 20, val: 10, test: 30, unlabeled: 10, simulated: 40}
  validate: {max_quarantined: 1.0, min_accepted: 1}
  train: {seeds: [0, 1], batch: 8, unet: {width: 4, depth: 1}}
axis: {title: updates, key: train.steps, values: [2, 30]}
rows:
  fifteen drawn: {recipe: simulated, set: {generate: {samples: 15}}}
  a few real: {recipe: real}
level: real
columns:
  samples: "reports/generate/{recipe}/metrics.json:generate/samples"
  shift: reports/refine/metrics.json:refine/label_shift_px
"""


def study(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_", "MLFLOW_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "flows.study", "tiny", *arguments],
        cwd=project, env={**environment, "HANDFUL_TRACKING": "off"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study") / "project"
    copy_project(ROOT, root)
    (root / "studies" / "tiny.yaml").write_text(STUDY)
    start_repository(root, "a test")
    done = study(root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def results(project: Path) -> list[dict[str, str]]:
    with (project / ".local/studies/tiny/reports/study/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_row_at_every_value_has_its_scores_and_figures(project):
    found = results(project)
    assert [(row["row"], row["value"]) for row in found] == [
        ("fifteen drawn", "2"), ("fifteen drawn", "30"), ("a few real", "2"), ("a few real", "30"),
    ]  # fmt: skip
    assert [float(row["samples"]) for row in found] == [15, 15, 20, 20]
    assert [row["shift"] for row in found] == ["", "", "", ""]
    assert [row["level_scores"] for row in found] == [row["scores"] for row in found[2:]] * 2
    assert found[1]["scores"] != found[3]["scores"]
    for row in found:
        first, second = map(float, row["scores"].split())
        assert (row["seeds"], row["metric"], row["better"]) == ("2", "mean IoU", "higher")
        assert float(row["mean"]) == pytest.approx((first + second) / 2)
        assert float(row["deviation"]) == pytest.approx(abs(first - second) / 2**0.5)


def test_the_table_and_the_curve_are_there(project):
    reports = project / ".local/studies/tiny/reports/study"
    table = (reports / "table.md").read_text()
    assert "Mean IoU (0 to 1, higher is better); mean ± sample standard deviation over 2 seeds of the target." in table
    assert "| updates | 2 | 30 |" in table
    assert len(Image.open(reports / "curve.png").convert("RGB").getcolors(100_000)) > 50


def test_dvc_brings_back_what_an_earlier_run_has_trained(project):
    log = (project / ".local/studies/tiny/reports/study/logs/003.log").read_text()
    assert "Stage 'train@real' is cached - skipping run" in log


def test_a_second_run_does_nothing_and_a_new_value_is_all_that_runs(project):
    before = results(project)
    again = study(project)
    assert again.returncode == 0
    assert "..." not in again.stdout
    assert results(project) == before
    path = project / "studies" / "tiny.yaml"
    path.write_text(STUDY.replace("[2, 30]", "[2, 9, 30]"))
    assert [line.endswith("(done)") for line in study(project, "--dry-run").stdout.splitlines()] == [
        True, False, True, True, False, True,
    ]  # fmt: skip
    path.write_text(STUDY)


def test_the_project_itself_is_left_alone(project):
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert not (project / "data").exists()
