"""The whole pipeline on the smoke preset: report, no-op, precise reruns, and going on after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.graph import stage_graph
from stages.common.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
KILLED = {
    "pretrain": ("pretrain", [], "models/pretrain/generator.safetensors", "state.pt"),
    "label": ("label", [], "models/label/gan/ensemble.safetensors", "*.pt"),
    "refine": ("refine", [], "models/refine/refiner.safetensors", "state.pt"),
    "compose": ("compose", [], "models/compose/placer.safetensors", "state.pt"),
    "generate": ("generate", ["--recipe", "gan"], "data/generate/gan/shard-000000.tar", "piece-*.npz"),
}


def run(project, *command, environment=None, check=True):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, env=environment or ENVIRONMENT
    )
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def stages_run(done):
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke") / "project"
    early = {"pretrain": 160, "label": 10, "refine": 10, "compose": 5}
    settings = [part for stage, step in early.items() for part in ("--set", f"{stage}.save_every={step}")]
    run(ROOT, "flows.preset", "smoke", "--into", str(folder), *settings)
    run(folder, "dvc", "repro")
    return folder


def test_the_pipeline_ends_in_a_report_with_every_recipe(project):
    metrics = json.loads((project / "reports/evaluate/metrics.json").read_text())
    made = {
        "gan",
        "gan+real",
        "annotated",
        "annotated+real",
        "simulated",
        "refined",
        "refined+real",
        "composite",
        "composite+real",
    }
    assert set(metrics["recipes"]) == {"real", *made}
    for recipe in metrics["recipes"].values():
        assert len(recipe["target/miou"]["seeds"]) == 2
        assert 0 < recipe["target/miou"]["mean"] < 1
    report = (project / "reports/evaluate/report.html").read_text()
    assert "The images of annotated were annotated by an oracle, not by a person." in report
    assert "data:image/png;base64" in report
    assert "<script" not in report


def test_a_second_run_does_nothing(project):
    assert stages_run(run(project, "dvc", "repro")) == []


def test_a_changed_param_reruns_only_what_depends_on_it(project):
    params = project / "params.yaml"
    before = params.read_text()
    params.write_text(re.sub(r"drop_share: [\d.]+", "drop_share: 0.25", before))
    status = json.loads(run(project, "dvc", "status", "--json").stdout)
    params.write_text(before)
    assert set(status) == {"evaluate", *(f"generate@{recipe}" for recipe in RECIPES)}


def test_the_graph_has_every_stage_in_order(project):
    graph = stage_graph(project)
    assert set(graph["generate@gan"]) >= {"label@gan", "pretrain"}
    assert set(graph["annotate"]) >= {"label@gan", "invert", "prepare"}
    assert "annotate" in graph["label@annotated"]
    assert "annotate" not in graph["label@gan"]
    assert "pretrain" not in graph["generate@real"]
    assert set(graph["train@gan+real"]) >= {"validate@gan+real", "generate@gan+real"}


@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_stage_goes_on_and_ends_with_the_same_bytes(project, stage):
    name, arguments, result, trace = KILLED[stage]
    expected = (project / result).read_bytes()
    environment = {**ENVIRONMENT, "HANDFUL_TRACKING": "off"}
    work = project / ".work" / name
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{name}", *arguments],
        cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(work.glob(f"*/{trace}")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(work.glob(f"*/{trace}"))
    again = run(project, f"stages.{name}", *arguments, environment=environment)
    assert (project / result).read_bytes() == expected
    assert not work.exists() or not list(work.glob("*/*")), again.stdout


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("device: auto", "device: cuda"), "device is cuda"),
        (("drop_share:", "drop_shar:"), "generate.drop_shar is not a known key"),
    ],
)
def test_a_mistake_in_the_params_is_one_sentence_and_exit_code_2(project, setting, words):
    params = project / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace(*setting))
    environment = {**ENVIRONMENT, "HANDFUL_TRACKING": "off", "CUDA_VISIBLE_DEVICES": ""}
    done = run(project, "stages.generate", "--recipe", "gan", environment=environment, check=False)
    params.write_text(before)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
