"""One name, five places: folders, params.yaml, dvc.yaml, data and reports agree; code dependencies are real."""

import importlib
import subprocess
import sys

import pytest
import yaml

from flows.checks import check_values
from flows.dependencies import corrected, with_code
from flows.overlay import merged
from stages.common.code import ROOT, code_dependencies
from stages.common.params import Params, load_params, read_yaml, stage_names
from stages.common.spec import DatasetSpec

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = stage_names()


def body(stage):
    entry = PIPELINE["stages"][stage]
    return entry.get("do", entry)


def section_class(stage):
    module = importlib.import_module(f"stages.{stage}.params")
    return getattr(module, f"{stage.capitalize()}Params")


def paths(entries):
    return [next(iter(e)) if isinstance(e, dict) else e for e in entries]


def test_stages_sections_and_folders_are_the_same():
    sections = set(yaml.safe_load((ROOT / "params.yaml").read_text())) - {"seed", "device"}
    assert set(PIPELINE["stages"]) == set(STAGES) == sections


@pytest.mark.parametrize("stage", STAGES)
def test_the_section_is_read_into_a_frozen_class_that_refuses_unknown_keys(stage):
    params, _ = load_params(stage, section_class(stage), ROOT / "params.yaml")
    assert isinstance(params, Params)
    assert params.model_config["frozen"]
    assert params.model_config["extra"] == "forbid"


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_the_real_imports(stage):
    listed = [d for d in paths(body(stage)["deps"]) if d.startswith("stages/")]
    assert sorted(listed) == sorted(code_dependencies(stage))


def test_the_listed_code_can_be_corrected():
    right = (ROOT / "dvc.yaml").read_text()
    wrong = right.replace("      - stages/common/device.py\n", "").replace("- stages/train\n", "- stages/invert\n")
    assert wrong != right
    assert corrected(wrong) == right == corrected(right)


@pytest.mark.parametrize("stage", STAGES)
def test_imports_never_run_to_later_stages(stage):
    # Compositing is taught by the target model, so the targets of `train` lie below it.
    order = [name for name in PIPELINE["stages"] if name != "train"]
    order.insert(order.index("compose"), "train")
    for dependency in code_dependencies(stage)[1:]:
        owner = dependency.split("/")[1]
        assert owner == "common" or order.index(owner) < order.index(stage), dependency


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_lie_under_the_stage_name(stage):
    written = body(stage)
    for out in paths([*written["outs"], *written.get("metrics", []), *written.get("plots", [])]):
        assert out.split("/")[0] in {"data", "models", "reports"}
        assert out.split("/")[1] == stage


@pytest.mark.parametrize("stage", STAGES)
def test_earlier_results_can_be_brought_back_from_the_cache(stage):
    uncached = [entry for entry in body(stage)["outs"] if isinstance(entry, dict)]
    assert bool(uncached) == (stage == "evaluate")


@pytest.mark.parametrize("stage", STAGES)
def test_params_of_dvc_are_sections_that_exist(stage):
    listed = body(stage)["params"]
    assert stage in listed
    assert {name.split(".")[0] for name in listed} <= {"seed", *STAGES}


def test_single_params_of_dvc_are_in_params_yaml():
    params = read_yaml(ROOT / "params.yaml")
    for stage in STAGES:
        for section, dot, key in (name.partition(".") for name in body(stage)["params"]):
            assert not dot or key in params[section], f"{stage}: {section}.{key}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_answers_help(stage):
    done = subprocess.run([sys.executable, "-m", f"stages.{stage}", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_fits_the_params(preset):
    check_values(merged(read_yaml(ROOT / "params.yaml"), read_yaml(preset)), preset)


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_with_composites_has_a_placer_that_suits_its_target(preset):
    from stages.compose.checks import refuse_target
    from stages.train.targets import make_target

    overlay = merged(read_yaml(ROOT / "params.yaml"), read_yaml(preset))
    composes = any(recipe.startswith("composite") for recipe in overlay["evaluate"]["recipes"])
    if composes and overlay["train"]["target"] != "auto" and overlay["compose"]["placer"] == "learned":
        spec = DatasetSpec(name="any", size=(64, 64), channels=3, classes=("nothing", "a"), labels="boxes")
        refuse_target(make_target(spec, section_class("train").model_validate(overlay["train"])))


def test_flows_import_no_torch():
    code = "import sys, flows.pipeline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_nothing_is_unpickled():
    for path in [*ROOT.glob("stages/**/*.py"), *ROOT.glob("flows/**/*.py")]:
        for line in path.read_text().splitlines():
            assert "import pickle" not in line, path
            assert "torch.load(" not in line or "weights_only=True" in line, path


def test_files_and_functions_stay_small():
    import ast

    for path in [*ROOT.glob("stages/**/*.py"), *ROOT.glob("flows/**/*.py")]:
        text = path.read_text()
        assert text.count("\n") <= 250, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path}:{node.lineno}"


def test_a_stage_that_lists_no_code_is_found():
    pipeline = "stages:\n  prepare:\n    deps:\n      - stages/prepare\n  invert:\n    deps:\n      - data/prepare\n"
    assert with_code(pipeline) == {"prepare"}
    assert with_code((ROOT / "dvc.yaml").read_text()) == set(STAGES)
