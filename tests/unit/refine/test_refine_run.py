import json
from pathlib import Path

import pytest
from test_refine_training import fresh, trainer

from stages.common.checkpoint import WorkFolder
from stages.common.tracking import Tracker
from stages.refine.run import Run
from stages.refine.training import Trainer

# 5 steps of pre-training and 6 of both networks; a kill at step 10 loses those since 8, between the rows of 6 and 9.
RHYTHM = {"log_every": 3, "save_every": 4, "sample_every": 5}


class KilledError(Exception):
    """Stands for the kill."""


def run_in(folder: Path, of: Trainer) -> Run:
    return Run(of, fresh(of), WorkFolder("refine", "digest", folder), Tracker(None))


def killed_after(of: Trainer, last: int) -> Trainer:
    step = of.train_step

    def until(state):
        if state.step == last:
            raise KilledError
        return step(state)

    of.train_step = until
    return of


@pytest.mark.parametrize("last", [5, 7, 8, 10])
def test_a_run_killed_between_two_rows_and_resumed_has_the_same_rows(tmp_path, last):
    whole = run_in(tmp_path / "whole", trainer(**RHYTHM))
    assert not whole.resume()
    whole.train()
    with pytest.raises(KilledError):
        run_in(tmp_path / "killed", killed_after(trainer(**RHYTHM), last)).train()
    again = run_in(tmp_path / "killed", trainer(**RHYTHM))
    assert again.resume()
    assert again.state.step == last // 4 * 4
    again.train()
    assert again.stats.path.read_text() == whole.stats.path.read_text()


def test_rows_are_written_at_looks_and_savings_too_and_pictures_once_both_networks_train(tmp_path):
    run = run_in(tmp_path, trainer(**RHYTHM))
    run.train()
    steps = [json.loads(line)["step"] for line in run.stats.path.read_text().splitlines()]
    assert steps == [3, 4, 6, 8, 9, 10, 11]
    assert [path.name for path in sorted(run.pictures.iterdir())] == ["refined_000010.png", "refined_000011.png"]
