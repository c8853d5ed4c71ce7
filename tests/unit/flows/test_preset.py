import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.overlay import apply_overlay, check_overlay, described, merged, preset_path, setting, with_absolute_path
from flows.scratch import copy_project, start_repository
from stages.common.errors import UserError
from stages.common.params import read_yaml
from stages.common.tracking import git_tags

PRESETS = Path(__file__).resolve().parents[3] / "presets"
PARAMS = """\
# Every knob.
seed: 0  # of all random choices
toy:
  steps: 100
  sizes: [1, 2]
  nested: {rate: 0.1, name: "a"}
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    return path


def test_an_overlay_changes_its_values_alone_and_keeps_the_comments(params):
    changes = apply_overlay(params, {"seed": 7, "toy": {"sizes": [3], "nested": {"rate": 0.5}}})
    assert params.read_text() == PARAMS.replace("seed: 0 ", "seed: 7 ").replace("[1, 2]", "[3]").replace("0.1", "0.5")
    assert changes == [("seed", 0, 7), ("toy.sizes", [1, 2], [3]), ("toy.nested.rate", 0.1, 0.5)]
    assert apply_overlay(params, {"seed": 7}) == []


def test_merged_goes_into_mappings_and_replaces_the_rest():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merged(base, {"a": {"c": [9]}, "e": 4}) == {"a": {"b": 1, "c": [9]}, "d": 3, "e": 4}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_setting_reads_a_dotted_key_and_a_yaml_value():
    assert setting("train.seeds=2") == {"train": {"seeds": 2}}
    assert setting("a.b.c=[x, 1.5]") == {"a": {"b": {"c": ["x", 1.5]}}}
    for wrong in ("train.seeds", "=2", "a=[1"):
        with pytest.raises(UserError, match="--set"):
            setting(wrong)


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"sed": 1}, "sed is not a known key; did you mean seed?"),
        ({"toy": {"step": 1}}, "toy.step is not a known key"),
        ({"toy": {"nested": {"rat": 1}}}, "toy.nested.rat is not a known key"),
        ({"device": "tpu"}, "device: input should be 'auto', 'cpu' or 'cuda'"),
        ({"train": {"epochz": 1}}, "train.epochz is not a known key"),
    ],
)
def test_a_wrong_overlay_is_refused_with_its_file_and_key(params, overlay, said):
    with pytest.raises(UserError) as caught:
        check_overlay(params, overlay, Path("presets/x.yaml"))
    assert str(caught.value).startswith("presets/x.yaml: ")
    assert said in str(caught.value)
    assert params.read_text() == PARAMS


def test_an_unknown_preset_brings_the_closest_name(tmp_path):
    (tmp_path / "smoke.yaml").write_text("# The whole pipeline in a minute.\nseed: 1\n")
    assert described(tmp_path) == {"smoke": "The whole pipeline in a minute."}
    assert preset_path(tmp_path, "smoke") == tmp_path / "smoke.yaml"
    with pytest.raises(UserError, match=r"no preset smok; did you mean smoke\?"):
        preset_path(tmp_path, "smok")


@pytest.fixture
def project(params: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = params.parent / "project"
    (root / "presets").mkdir(parents=True)
    (root / "presets" / "smoke.yaml").write_text("# Small.\ntoy: {steps: 2}\n")
    (root / "data" / "prepare").mkdir(parents=True)
    for name in ("data/prepare/a.tar", "dvc.lock", "code.py", "new.py", "secret.tmp", "gone.py"):
        (root / name).write_text(name)
    (root / "dvc.yaml").write_text("stages: {toy: {cmd: echo, params: [toy.steps]}}\n")
    (root / ".gitignore").write_text("*.tmp\n")
    params.rename(root / "params.yaml")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    subprocess.run(["git", "add", "code.py", "gone.py", "dvc.lock"], cwd=root, check=True)
    (root / "gone.py").unlink()
    return root


def test_a_scratch_copy_has_the_code_without_data_locks_and_ignored_files(project, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    (project / "mydata" / "unlabeled").mkdir(parents=True)
    for name in ("dataset.yaml", "unlabeled/a.png"):
        (project / "mydata" / name).touch()
    assert copy_project(project, copy) == 6
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == {".gitignore", "code.py", "new.py", "dvc.yaml", "params.yaml", "presets/smoke.yaml"}
    start_repository(copy, "abc")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=copy, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    monkeypatch.chdir(copy)
    assert git_tags()["git.origin"] == "abc"
    with pytest.raises(UserError, match="already there"):
        copy_project(project, copy)
    for inside in (copy / "code.py", copy / "code.py" / "copy"):
        with pytest.raises(UserError, match=r"code\.py: a file; name a folder"):
            copy_project(project, inside)


def preset(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flows.preset", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_a_dataset_yaml_beside_the_code_does_not_hide_the_code(project, tmp_path):
    (project / "dataset.yaml").touch()
    assert copy_project(project, tmp_path / "copy") == 7


def test_the_command_makes_a_copy_that_dvc_can_run_and_leaves_the_original_alone(project, tmp_path):
    copy = tmp_path / "copy"
    done = preset(project, "smoke", "--into", str(copy), "--set", "seed=5", "--set", "toy.nested.name=b")
    assert done.returncode == 0, done.stderr
    assert "toy.steps: 100 -> 2" in done.stdout
    assert yaml.safe_load((copy / "params.yaml").read_text()) == {
        "seed": 5,
        "toy": {"steps": 2, "sizes": [1, 2], "nested": {"rate": 0.1, "name": "b"}},
    }
    assert (project / "params.yaml").read_text() == PARAMS
    repro = subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=copy, capture_output=True, text=True)
    assert repro.returncode == 0, repro.stderr


@pytest.mark.parametrize("given", ["--set", "params.yaml"])
def test_a_relative_image_folder_stays_the_same_folder_in_a_copy(project, tmp_path, given):
    arguments = ["--set", "prepare.path=images"]
    if given == "params.yaml":
        assert preset(project, "smoke", *arguments).returncode == 0
        arguments = []
    done = preset(project, "smoke", "--into", str(tmp_path / "copy"), *arguments)
    assert done.returncode == 0, done.stderr
    params = yaml.safe_load((tmp_path / "copy" / "params.yaml").read_text())
    assert params["prepare"]["path"] == str(project / "images")


def test_every_path_of_images_and_weights_stays_the_same_in_a_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = {"path": "a", "simulator_path": None, "backgrounds": {"path": "b", "count": 3}}
    gan = {"weights": "c.pt", "images": 5, "measure": {"inception_weights": "d.pth"}}
    whole = {"prepare": images, "pretrain": gan, "invert": {"backbone_weights": "e.pth"}, "seed": 1}
    assert with_absolute_path(whole, {"seed": 2}) == {
        "seed": 2,
        "prepare": {"path": str(tmp_path / "a"), "backgrounds": {"path": str(tmp_path / "b")}},
        "pretrain": {"weights": str(tmp_path / "c.pt"), "measure": {"inception_weights": str(tmp_path / "d.pth")}},
        "invert": {"backbone_weights": str(tmp_path / "e.pth")},
    }
    assert with_absolute_path({"prepare": None}, {}) == {}


def test_the_command_says_a_mistake_in_one_sentence_and_ends_with_2(project):
    done = preset(project, "smok")
    assert (done.returncode, done.stderr) == (2, "error: presets: no preset smok; did you mean smoke?\n")
    done = preset(project, "smoke", "--set", "toy.step=1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: --set: toy.step is not a known key")
    assert (project / "params.yaml").read_text() == PARAMS
    assert preset(project, "--list").stdout == "smoke  Small.\n"


def test_every_section_that_one_smoke_preset_makes_tiny_is_tiny_in_the_other():
    smoke, folder = (read_yaml(PRESETS / f"{name}.yaml") for name in ("smoke", "folder-smoke"))
    assert set(smoke) <= set(folder)
    assert all(folder["compose"][key] == value for key, value in smoke["compose"].items())
    assert folder["compose"]["context"]["steps"] == 10


def test_settings_are_checked_together_in_whatever_order(project):
    settings = ("invert.perceptual=lpips_vgg", "invert.backbone_weights=vgg.pth")
    for order in (settings, settings[::-1]):
        done = preset(project, "smoke", *[word for text in order for word in ("--set", text)])
        assert done.returncode == 0, done.stderr
    alone = preset(project, "smoke", "--set", settings[0], "--set", "invert.backbone_weights=null")
    assert alone.returncode == 2
    assert "invert.backbone_weights" in alone.stderr
