from pathlib import Path

import pytest

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.tracking import Tracker
from stages.prepare.__main__ import main
from stages.prepare.params import PrepareParams


def test_a_misspelt_recipe_to_compare_ends_the_first_stage_before_it_reads_an_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("evaluate: {recipes: [real, composit]}\n")
    params = PrepareParams.model_validate({"source": "folder", "path": tmp_path / "nowhere"})
    with pytest.raises(UserError, match=r"^params\.yaml: evaluate\.recipes\.1: .*found 'composit'"):
        main(params, SharedParams(), Tracker(None))
    Path("params.yaml").write_text("evaluate: {recipes: [real, composite]}\n")
    with pytest.raises(UserError, match=r"nowhere is no folder"):
        main(params, SharedParams(), Tracker(None))
