import subprocess
import sys
from pathlib import Path

import pytest

from flows.checks import check_params, section_class
from stages.common.errors import UserError
from stages.common.params import STAGES_DIR

SECTIONS = sorted(path.parent.name for path in STAGES_DIR.glob("*/params.py") if path.parent.name != "common")


@pytest.mark.parametrize("stage", SECTIONS)
def test_every_stage_with_params_is_checked(stage):
    assert section_class(stage) is not None
    assert section_class(f"{stage}@gan") is section_class(stage)


def test_a_stage_that_is_no_package_of_ours_is_not_checked():
    assert section_class("left") is None
    assert section_class("sub/dvc.yaml:left") is None
    assert section_class("common") is None


def test_the_first_wrong_key_of_any_stage_in_the_graph_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("train: {epochz: 3}\n")
    with pytest.raises(UserError, match=r"train\.epochz is not a known key"):
        check_params(path, {"train@gan": [], "other": []})
    check_params(path, {"other": []})


def test_nothing_in_flows_and_no_section_brings_torch_in():
    modules = [f"flows.{path.stem}" for path in (STAGES_DIR.parent / "flows").glob("[a-z]*.py")]
    modules += [f"stages.{stage}.params" for stage in SECTIONS]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {modules}]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(STAGES_DIR).parent, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
