import subprocess
from pathlib import Path

import pytest

from flows.graph import family, restrict, stage_graph, topological
from stages.common.errors import UserError

DVC_YAML = """
stages:
  prepare: {cmd: echo, outs: [p.txt]}
  train:
    matrix: {recipe: [real, gan+real]}
    cmd: echo
    deps: [p.txt, raw.txt]
    outs:
      - ${item.recipe}.txt
  evaluate: {cmd: echo, deps: [real.txt, gan+real.txt]}
  kept: {cmd: echo, deps: [p.txt], frozen: true}
"""
GRAPH = {
    "evaluate": ["train@gan+real", "train@real"],
    "kept": [],
    "prepare": [],
    "train@gan+real": ["prepare"],
    "train@real": ["prepare"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "raw.txt.dvc").write_text("outs: [{path: raw.txt, md5: d41d8cd98f00b204e9800998ecf8427e, size: 0}]\n")
    return tmp_path


def test_the_graph_has_each_stage_with_what_it_needs_whatever_the_working_directory(project, monkeypatch, tmp_path):
    assert stage_graph(project) == GRAPH
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert stage_graph(project) == GRAPH


def test_a_project_without_stages_is_refused(project):
    (project / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(UserError, match="no stages"):
        stage_graph(project)


def test_a_broken_pipeline_file_is_one_sentence(project):
    (project / "dvc.yaml").write_text("stages: {a: {command: echo}}\n")
    with pytest.raises(UserError, match=r"DVC cannot read the pipeline") as caught:
        stage_graph(project)
    assert "\n" not in str(caught.value)


def test_a_folder_without_dvc_is_refused(tmp_path):
    with pytest.raises(UserError, match="DVC"):
        stage_graph(tmp_path)


def test_every_stage_comes_after_what_it_needs_and_ties_go_by_name():
    assert topological(GRAPH) == ["kept", "prepare", "train@gan+real", "train@real", "evaluate"]


def test_a_target_brings_what_it_needs_and_no_more():
    assert restrict(GRAPH, ["train@real"]) == {"prepare": [], "train@real": ["prepare"]}
    assert set(restrict(GRAPH, ["train"])) == {"prepare", "train@real", "train@gan+real"}


def test_without_targets_what_evaluate_needs_is_run_or_all_where_there_is_no_such_stage():
    assert restrict(GRAPH, None) == {stage: needs for stage, needs in GRAPH.items() if stage != "kept"}
    rest = {stage: needs for stage, needs in GRAPH.items() if stage != "evaluate"}
    assert restrict(rest, None) == rest


def test_an_unknown_target_is_named():
    with pytest.raises(UserError, match="no stage trane; there are: evaluate, kept"):
        restrict(GRAPH, ["trane"])


def test_family():
    assert family("train@gan+real") == "train"
    assert family("prepare") == "prepare"
