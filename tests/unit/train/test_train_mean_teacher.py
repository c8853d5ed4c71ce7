import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_builders import CPU, OFF, half_images, tiny_params, tiny_spec

from stages.common.checkpoint import WorkFolder
from stages.common.device import seeded
from stages.common.errors import UserError
from stages.common.heatmaps import encode
from stages.common.spec import DatasetSpec
from stages.common.warp import random_affine, warp_keypoints
from stages.train.consistency import disagreement, full_weight, ramp
from stages.train.mean_teacher import MeanTeacherRun, Views
from stages.train.params import MeanTeacherParams, TrainParams
from stages.train.targets import make_target
from stages.train.training import Outcome, train_seed

POINTS = DatasetSpec(name="points", size=(32, 32), channels=1, keypoints=3, flip=(1, 0, 2))


def pooled_run(pool: np.ndarray | None = None, spec: DatasetSpec | None = None, **changes: Any) -> MeanTeacherRun:
    """A run of seed 0 with 8 labelled images and 10 unlabelled ones."""
    params = tiny_params(**changes)
    images = half_images(10).images if pool is None else pool
    return MeanTeacherRun(make_target(spec or tiny_spec(), params), half_images(8), None, params, 0, CPU, images)


class KilledError(Exception):
    """Stands for a kill from outside."""


def trained(folder: Path, kill_at: int | None = None) -> Outcome:
    def on_step(step: int, _: Outcome) -> None:
        if step == kill_at:
            raise KilledError

    run = pooled_run(ema=0.9)
    run.validation = half_images(4)
    return train_seed(run, WorkFolder("train", "digest", folder), on_step)


@pytest.mark.parametrize("kill_at", [15, 22])
def test_a_killed_run_ends_in_the_same_weights(tmp_path: Path, kill_at: int) -> None:
    straight = trained(tmp_path / "straight")
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", kill_at)
    torch.manual_seed(123)
    resumed = trained(tmp_path / "killed")
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in straight.weights.items())
    assert resumed.history == straight.history


def test_a_resumed_teacher_is_the_one_that_was_saved() -> None:
    run = pooled_run(ema=0.9)
    for _ in range(3):
        run.step()
    state = copy.deepcopy(run.state_dict())
    other = pooled_run(ema=0.9)
    other.load_state_dict(state)
    ours, theirs = run.learner.average, other.learner.average
    assert ours is not None
    assert theirs is not None
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())
    assert not torch.equal(ours.state_dict()["head.weight"], run.learner.module.state_dict()["head.weight"])


def test_unlabelled_images_join_the_labelled_ones_of_each_batch() -> None:
    run = pooled_run(batch=4, mean_teacher={"unlabeled": 0.5})
    assert len(run._batch(0)[0]) == 4
    assert len(run._views(0).student) == len(run._views(0).teacher) == 2
    assert len(pooled_run(batch=4, mean_teacher={"unlabeled": 0.01})._views(0).student) == 2
    assert len(pooled_run(batch=4, mean_teacher={"unlabeled": 2})._views(0).student) == 8


def test_every_unlabelled_image_comes_once_before_any_comes_again() -> None:
    pool = np.repeat(np.arange(10, dtype=np.uint8) * 20, 256).reshape(10, 16, 16, 1)
    run = pooled_run(pool, batch=4, augment=OFF, mean_teacher={"unlabeled": 0.5})
    seen = torch.cat([run._views(step).teacher[:, 0, 0, 0] for step in range(5)])
    assert sorted(((seen + 1) * 127.5).round().int().tolist()) == [number * 20 for number in range(10)]


def test_student_and_teacher_see_the_same_image_in_other_colours() -> None:
    run = pooled_run(augment=OFF | {"brightness": 0.3})
    views = run._views(0)
    assert not torch.equal(views.student, views.teacher)
    still = pooled_run(augment=OFF)._views(0)
    assert torch.allclose(still.student, still.teacher, atol=1e-5)


def test_without_weight_the_labelled_images_alone_move_the_weights() -> None:
    runs = [pooled_run(mean_teacher={"weight": weight}) for weight in (0.0, 0.0, 5.0)]
    # All of a normalisation's batch count, so the same unlabelled images go through; another target would not do.
    runs[1].learner.average.load_state_dict({k: v + 1 for k, v in runs[1].learner.average.state_dict().items()})
    for run in runs:
        for _ in range(2):
            run.outcome.step = 20  # past the ramp
            run.step()
    plain, other, weighed = (run.learner.module.state_dict()["head.weight"] for run in runs)
    assert torch.equal(plain, other)
    assert not torch.equal(plain, weighed)


def test_the_teacher_gets_no_gradient_and_the_student_does() -> None:
    run = pooled_run()
    run.outcome.step = 29
    run.step()
    assert all(weights.grad is None for weights in run.learner.average.parameters())
    assert any(weights.grad.any() for weights in run.learner.module.parameters())


def test_agreement_on_unlabelled_images_grows_when_it_is_asked_for() -> None:
    def apart(weight: float) -> float:
        run = pooled_run(steps=14, ema=0.9, batch=8, augment=OFF, mean_teacher={"weight": weight, "ramp": 0.1})
        found = []
        learn = run.learner.learn

        def spied(step: int, images: torch.Tensor, labels: torch.Tensor, views: Views) -> Any:
            found.append(disagreement_of(run, views))
            return learn(step, images, labels, views)

        run.learner.learn = spied  # type: ignore[method-assign]
        for _ in range(14):
            run.step()
        return float(np.mean(found[6:]))

    assert apart(20.0) < apart(0.0)


def disagreement_of(run: MeanTeacherRun, views: Views) -> float:
    with torch.no_grad():
        student = copy.deepcopy(run.learner.module).train()(views.student)
        teacher = copy.deepcopy(run.learner.average).train()(views.teacher)
    return float(disagreement(run.target, student, teacher, views.maps))


STILL = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def test_disagreements_worked_by_hand() -> None:
    masks = make_target(tiny_spec(), tiny_params())
    sure = torch.tensor([100.0, 0, 0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4)
    other = torch.tensor([0.0, 100, 0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4)
    maps = STILL.expand(2, 2, 3)
    assert disagreement(masks, sure, other, maps).item() == pytest.approx(2)
    other = torch.where(torch.arange(4) < 1, other, sure)
    assert disagreement(masks, sure, other, maps).item() == pytest.approx(0.5)
    depth = make_target(tiny_spec().model_copy(update={"classes": (), "depth": True}), TrainParams())
    assert disagreement(depth, torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), -3.0), STILL).item() == pytest.approx(
        3
    )


def heat_maps(points: torch.Tensor, peaks: tuple[float, ...]) -> torch.Tensor:
    """Outputs (N, 2 stacks, K, 8, 8) of a network for images of 32 x 32 that finds these points with these peaks."""
    maps = encode((points[:, :, :2] + 0.5) / 4 - 0.5, (8, 8), TrainParams().keypoints.sigma)
    return (maps * torch.tensor(peaks)[:, None, None])[:, None].expand(-1, 2, -1, -1, -1)


@pytest.mark.parametrize("flip", [False, True])
def test_a_student_that_moves_keypoints_with_its_images_agrees(flip: bool) -> None:
    params = TrainParams.model_validate({"augment": {"flip": flip, "rotate": 10, "shift": 0.05}})
    target = make_target(POINTS, params)
    points = torch.tensor([[[9.5, 9.5, 2], [21.5, 13.5, 2], [13.5, 17.5, 2]]]).expand(6, 3, 3)
    maps = random_affine(6, (32, 32), params.augment, seeded(1))
    assert (torch.linalg.det(maps[:, :, :2]) < 0).any() == flip
    teacher, ones = heat_maps(points, (0.9, 0.9, 0.9)), (1.0, 1.0, 1.0)
    moved = warp_keypoints(points, maps, (32, 32), POINTS.flip if flip else ())
    # A teacher's lower peak is no reason for a lower one of the student.
    assert disagreement(target, heat_maps(moved, ones), teacher, maps).item() == pytest.approx(0, abs=1e-5)
    assert disagreement(target, heat_maps(points, ones), teacher, maps).item() > 1e-3
    if flip:
        traded = warp_keypoints(points, maps, (32, 32))
        assert disagreement(target, heat_maps(traded, ones), teacher, maps).item() > 1e-3


def test_keypoints_that_the_teacher_does_not_find_count_as_nothing() -> None:
    target = make_target(POINTS, TrainParams())
    points = torch.tensor([[[8.0, 9.0, 2], [22.0, 14.0, 2], [15.0, 20.0, 2]]])
    nothing = torch.zeros(1, 2, 3, 8, 8)
    asked = [disagreement(target, nothing, heat_maps(points, (0.9, 0.9, peak)), STILL).item() for peak in (0.9, 0.3)]
    assert asked[1] == pytest.approx(asked[0] * 2 / 3, rel=0.05)  # of sums over three, one like the others is missing
    assert disagreement(target, nothing, nothing, STILL).item() == 0
    away = torch.tensor([[[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]])  # all leave the image
    assert disagreement(target, nothing, heat_maps(points, (0.9, 0.9, 0.9)), away).item() == 0


def test_the_weight_rises_over_the_ramp() -> None:
    shares = [ramp(step, 40, 0.5) for step in (0, 10, 20, 39)]
    assert shares == pytest.approx([math.exp(-5), math.exp(-1.25), 1, 1])


def test_the_weight_is_the_one_asked_for_or_that_of_the_task() -> None:
    targets = make_target(tiny_spec(), tiny_params()), make_target(POINTS, TrainParams())
    assert [full_weight(target, MeanTeacherParams()) for target in targets] == [3, 1]
    assert [full_weight(target, MeanTeacherParams(weight=0.5)) for target in targets] == [0.5, 0.5]
    for wrong in (-1, "many", True):
        with pytest.raises(ValueError, match="must be auto, or a number from 0"):
            MeanTeacherParams.model_validate({"weight": wrong})


def test_other_tasks_and_no_average_are_refused_in_one_sentence() -> None:
    boxes = tiny_spec().model_copy(update={"labels": "boxes"})
    with pytest.raises(UserError, match=r"mean_teacher is for segmentation, keypoints, depth, but tiny is about detec"):
        pooled_run(spec=boxes)
    with pytest.raises(UserError, match=r"train\.ema: 0, but the recipe mean_teacher learns from the moving average"):
        pooled_run(ema=0)
