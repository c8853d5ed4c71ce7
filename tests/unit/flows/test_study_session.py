"""A study on a small DVC project of its own: failures, going on, changed code, two at once."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[3]
EVALUATE = """
import json, pathlib, sys, time, yaml
params = yaml.safe_load(open("params.yaml"))
steps, seed = params["train"]["steps"], params["seed"]
if seed == 13:
    print("error: params.yaml: seed: 13 brings no luck", file=sys.stderr)
    sys.exit(2)
time.sleep(60 if seed == 60 else 0)
with open("ran", "a") as file:
    file.write(f"{seed} {steps};")
scores = {"target/miou": {"mean": steps / 100, "std": 0.1, "seeds": [steps / 100 - 0.1, steps / 100 + 0.1]}}
out = pathlib.Path("reports/evaluate"); out.mkdir(parents=True, exist_ok=True)
words = {"metric": "target/miou", "title": "mean IoU", "unit": "", "range": "0 to 1", "better": "higher"}
recipes = {recipe: scores for recipe in params["evaluate"]["recipes"]}
(out / "metrics.json").write_text(json.dumps({**words, "recipes": recipes}))
"""
STUDY = "# Toy.\nrows:\n  one: {recipe: gan, set: {seed: 1}}\n  two: {recipe: gan, set: {seed: 2}}\nlevel: real\n"
COPY = Path(".local/studies/toy")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    stage = {
        "cmd": "python stages/toy.py",
        "deps": ["stages/toy.py"],
        "params": ["seed", "train.steps", "evaluate"],
        "metrics": [{"reports/evaluate/metrics.json": {"cache": False}}],
    }
    files = {
        "stages/toy.py": EVALUATE,
        "studies/toy.yaml": STUDY,
        "params.yaml": "# Of all choices.\nseed: 0\nprepare: {path: images}\ntrain: {steps: 50}\nevaluate: {}\n",
        "dvc.yaml": json.dumps({"stages": {"evaluate": stage}}),
        ".gitignore": ".local/\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "--all"], cwd=tmp_path, check=True)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.study", *(arguments or ("toy",))]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HANDFUL_", "MLFLOW_", "DVC_", "GIT_"))}
    return kept | {"PYTHONPATH": str(ROOT)}


def study(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=root, env=environment(), capture_output=True, text=True, check=False
    )  # fmt: skip


def ran(root: Path, copy: Path = COPY) -> str:
    return (root / copy / "ran").read_text()


def rows(root: Path) -> dict[str, float]:
    with (root / COPY / "reports/study/results.csv").open() as file:
        return {row["row"]: float(row["mean"]) for row in csv.DictReader(file)}


def test_a_second_study_skips_what_is_done_and_params_of_the_project_stay(project):
    before = (project / "params.yaml").read_text()
    done = study(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ran(project), rows(project)) == ("1 50;2 50;", {"one": 0.5, "two": 0.5})
    assert "| one | 0.500 ± 0.100 |" in (project / COPY / "reports/study/table.md").read_text()
    params = (project / COPY / "params.yaml").read_text()
    assert params.startswith("# Of all choices.\nseed: 2\n")
    assert f"path: {project}/images" in params
    assert study(project).returncode == 0
    assert ran(project) == "1 50;2 50;"
    assert (project / "params.yaml").read_text() == before


def test_rows_of_equal_params_share_one_run(project):
    path = project / "studies/toy.yaml"
    path.write_text("rows:\n  plain: {recipe: gan}\n  spelled out: {recipe: gan, set: {seed: 0}}\nlevel: real\n")
    done = study(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ran(project), rows(project)) == ("0 50;", {"plain": 0.5, "spelled out": 0.5})
    assert [line.endswith("(done)") for line in study(project, "toy", "--dry-run").stdout.splitlines()] == [True, True]
    path.write_text(path.read_text().replace("plain", "as it is"))
    assert study(project).returncode == 0
    assert (ran(project), rows(project)) == ("0 50;", {"as it is": 0.5, "spelled out": 0.5})


def test_set_changes_every_run_and_dvc_brings_back_what_it_has_seen(project):
    study(project)
    assert study(project, "toy", "--set", "train.steps=70").returncode == 0
    assert rows(project) == {"one": 0.7, "two": 0.7}
    assert study(project).returncode == 0
    assert rows(project) == {"one": 0.5, "two": 0.5}
    assert ran(project) == "1 50;2 50;1 70;2 70;"


def test_a_study_finds_in_the_cache_of_the_project_what_was_computed_before(project):
    pipeline = json.loads((project / "dvc.yaml").read_text())
    pipeline["stages"]["evaluate"]["metrics"] = ["reports/evaluate/metrics.json"]  # kept in the cache
    (project / "dvc.yaml").write_text(json.dumps(pipeline))
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=project, check=True)
    assert study(project).returncode == 0
    other = project / ".local/other"
    done = study(project, "toy", "--into", str(other))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (other / "reports/study/results.csv").read_text() == (
        project / COPY / "reports/study/results.csv"
    ).read_text()
    assert not (other / "ran").exists()


def test_a_failed_run_names_its_log_and_the_others_run_all_the_same(project):
    (project / "studies/toy.yaml").write_text(STUDY.replace("seed: 1", "seed: 13"))
    done = study(project)
    log = COPY / "reports/study/logs/001.log"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2, f"error: one: params.yaml: seed: 13 brings no luck; see {log}",
    )  # fmt: skip
    assert "13 brings no luck" in (project / log).read_text()
    assert rows(project) == {"two": 0.5}


def test_changed_code_of_the_project_reaches_the_copy_and_what_depends_on_it_is_redone(project):
    study(project)
    (project / "notes.md").write_text("no stage reads this")
    assert "1 changed files" in study(project).stdout
    assert ran(project) == "1 50;2 50;"
    (project / "stages/toy.py").write_text(EVALUATE.replace("steps / 100,", "steps / 200,"))
    (project / "notes.md").unlink()
    assert study(project).returncode == 0
    assert rows(project) == {"one": 0.25, "two": 0.25}
    assert not (project / COPY / "notes.md").exists()


def test_a_folder_that_is_no_copy_is_refused_and_left_alone(project, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("x")
    done = study(project, "toy", "--into", str(own))
    assert done.returncode == 2
    assert "no scratch copy of a project" in done.stderr
    assert [path.name for path in own.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("into", ["own.txt", "own.txt/copy"])
def test_a_file_in_place_of_the_copy_is_refused_before_there_is_a_lock(project, into):
    (project / "own.txt").write_text("x")
    before = sorted(project.rglob("*"))
    done = study(project, "toy", "--into", into)
    assert (done.returncode, done.stderr) == (2, "error: own.txt: a file; name a folder that is new or empty\n")
    assert sorted(project.rglob("*")) == before


def test_params_that_change_while_a_study_runs_are_for_the_next_one(project):
    edit = f"from pathlib import Path\npath = Path({str(project / 'params.yaml')!r})\n"
    edit += "path.write_text(path.read_text().replace('steps: 50', 'steps: 70'))\n"
    (project / "stages/toy.py").write_text(EVALUATE + edit)
    assert study(project).returncode == 0
    assert (ran(project), rows(project)) == ("1 50;2 50;", {"one": 0.5, "two": 0.5})
    assert study(project).returncode == 0
    assert rows(project) == {"one": 0.7, "two": 0.7}


def test_two_studies_in_one_copy_are_refused(project):
    (project / COPY.parent).mkdir(parents=True)
    with FileLock(project / COPY.parent / ".toy.lock"):
        done = study(project)
    assert (done.returncode, "another study runs there" in done.stderr) == (2, True)


def test_a_stopped_study_leaves_nothing_running_and_goes_on(project):
    (project / "studies/toy.yaml").write_text(STUDY.replace("seed: 2", "seed: 60"))
    process = subprocess.Popen(command(), cwd=project, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    log = project / COPY / "reports/study/logs/002.log"
    while not log.exists() or "Running stage" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted; run the same command to go on")
    assert rows(project) == {"one": 0.5}
    (project / "studies/toy.yaml").write_text(STUDY)
    assert study(project).returncode == 0
    assert ran(project) == "1 50;2 50;"


def test_studies_are_listed_and_an_unknown_one_brings_the_closest_name(project):
    assert study(project, "--list").stdout == "toy  Toy.\n"
    (project / "studies/odd.yaml").write_text("# Odd.\nrows: [one]\n")
    (project / "studies/torn.yaml").write_bytes(b"# Torn \xff.\nrows: {\n")
    odd, torn, toy = study(project, "--list").stdout.splitlines()
    assert odd.startswith("odd   no study to run: studies/odd.yaml: rows: expected keys of its own")
    assert torn == "torn  no study to run: studies/torn.yaml: not UTF-8 text; save it in that encoding"
    assert toy == "toy   Toy."
    for name in ("odd", "torn"):
        (project / f"studies/{name}.yaml").unlink()
    assert study(project, "toi").stderr == "error: studies: no study toi; did you mean toy?\n"
    assert study(project, "toy", "--dry-run").stdout == "  1  one: real, gan\n  2  two: real, gan\n"
    assert not (project / ".local/studies").exists()
