import json

from compose_builders import make_trainer, small_params

from stages.common.checkpoint import WorkFolder
from stages.common.tracking import Tracker
from stages.compose.run import Run


def test_composites_are_measured_and_drawn_after_the_warm_up_and_a_resumed_run_has_the_same_rows(tmp_path):
    params = small_params(warm_up=4, steps=6, log_every=3, sample_every=4, save_every=5)
    rows = []
    for stops in ((10,), (7, 10)):
        work = WorkFolder("compose", str(len(stops)), tmp_path)
        for number, stop in enumerate(stops):
            trainer, state = make_trainer(params)
            run = Run(trainer, state, work, Tracker(None))
            assert run.resume() == (number > 0)
            steps = trainer.run(state)
            # The first of two runs ends at step 7, as if killed; the second goes on from step 5.
            object.__setattr__(trainer, "run", lambda _, steps=steps, count=stop - state.step: _first(steps, count))
            run.train()
        rows.append(run.stats.path.read_text())
        assert [path.name for path in sorted(run.pictures.iterdir())] == [
            "composites_000008.png",
            "composites_000010.png",
        ]
    assert rows[0] == rows[1]
    found = [json.loads(line) for line in rows[0].splitlines()]
    assert [row["step"] for row in found] == [3, 5, 6, 8, 9, 10]
    assert [row["step"] for row in found if "hardness/learned" in row] == [8, 10]


def _first(steps, count):
    return (terms for _, terms in zip(range(count), steps, strict=False))
