import json

import numpy as np
import pytest
import torch
from test_pretrain_training import PARAMS, make

from stages.common.checkpoint import WorkFolder
from stages.common.tensors import ImageBank
from stages.common.tracking import Tracker
from stages.pretrain.run import Run

RHYTHM = PARAMS.model_copy(update={"log_every": 3, "save_every": 32, "sample_every": 1000})


class KilledError(Exception):
    """Stands for the kill."""


def run_in(folder, killed_after=None):
    arrays = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    trainer, state = make(ImageBank(arrays, torch.device("cpu")), RHYTHM)
    steps = trainer.run

    def until(state):
        for terms in steps(state):
            if state.step == killed_after:
                raise KilledError
            yield terms

    object.__setattr__(trainer, "run", until)
    return Run(trainer, state, WorkFolder("pretrain", "digest", folder), Tracker(None))


@pytest.mark.parametrize("killed_after", [6, 9])
def test_a_run_killed_between_two_rows_and_resumed_has_the_same_rows(tmp_path, killed_after):
    whole = run_in(tmp_path / "whole")
    assert not whole.resume()
    whole.train()
    with pytest.raises(KilledError):
        run_in(tmp_path / "killed", killed_after).train()
    again = run_in(tmp_path / "killed")
    assert again.resume()
    again.train()
    assert again.stats.path.read_text() == whole.stats.path.read_text()
    assert [json.loads(line)["step"] for line in whole.stats.path.read_text().splitlines()] == [3, 4, 6, 8, 9, 10]
