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
from stages.common.spec import DatasetSpec
from stages.common.warp import random_affine, warp_keypoints
from stages.train.consistency import comparable, disagreement, ramped_weight, warped
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
    assert len(pooled_run(batch=4, mean_teacher={"unlabeled": 0.01})._views(0).student) == 1
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
        student = comparable(run.target, copy.deepcopy(run.learner.module).train()(views.student))
        teacher = comparable(run.target, copy.deepcopy(run.learner.average).train()(views.teacher))
    return float(disagreement(run.target, student, warped(run.target, teacher, views.maps)))


def test_disagreements_worked_by_hand() -> None:
    masks = make_target(tiny_spec(), tiny_params())
    sure = comparable(masks, torch.tensor([100.0, 0, 0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4))
    other = comparable(masks, torch.tensor([0.0, 100, 0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4))
    assert disagreement(masks, sure, other).item() == pytest.approx(2)
    other = torch.where(torch.arange(4) < 1, other, sure)
    assert disagreement(masks, sure, other).item() == pytest.approx(0.5)
    points = make_target(POINTS, TrainParams())
    maps = torch.zeros(1, 2, 3, 4, 4)
    far = maps.clone()
    far[:, :, 0, 0, 0] = 1  # one of 16 pixels of one of three maps of both stacks
    assert disagreement(points, maps, far).item() == pytest.approx(2 / 3 / 16)
    depth = make_target(tiny_spec().model_copy(update={"classes": (), "depth": True}), TrainParams())
    assert disagreement(depth, torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), -3.0)).item() == pytest.approx(3)


@pytest.mark.parametrize("flip", [False, True])
def test_heat_maps_are_warped_as_their_keypoints_are(flip: bool) -> None:
    params = TrainParams.model_validate({"augment": {"flip": flip, "rotate": 10, "shift": 0.05}})
    target = make_target(POINTS, params)
    points = torch.tensor([[[8.0, 9.0, 2], [22.0, 14.0, 2], [15.0, 20.0, 2]]]).expand(6, 3, 3)
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    apart = (columns - points[:, :, 0, None, None]) ** 2 + (rows - points[:, :, 1, None, None]) ** 2
    maps = random_affine(6, (32, 32), params.augment, seeded(1))
    moved = warped(target, torch.exp(-apart / 8)[:, None].expand(6, 2, 3, 32, 32), maps)
    assert moved.shape == (6, 2, 3, 32, 32)
    assert (torch.linalg.det(maps[:, :, :2]) < 0).any() == flip
    found = target.predict(moved)[:, :, :2]
    wanted = warp_keypoints(points, maps, (32, 32), POINTS.flip if flip else ())[:, :, :2]
    assert (found - wanted).norm(dim=2).max() < 0.7


def test_the_weight_rises_over_the_ramp() -> None:
    params = MeanTeacherParams(weight=3, ramp=0.5)
    weights = [ramped_weight(step, 40, params) for step in (0, 10, 20, 39)]
    assert weights == pytest.approx([3 * math.exp(-5), 3 * math.exp(-1.25), 3, 3])


def test_other_tasks_and_no_average_are_refused_in_one_sentence() -> None:
    boxes = tiny_spec().model_copy(update={"labels": "boxes"})
    with pytest.raises(UserError, match=r"mean_teacher is for segmentation, keypoints, depth, but tiny is about detec"):
        pooled_run(spec=boxes)
    with pytest.raises(UserError, match=r"train\.ema: 0, but the recipe mean_teacher learns from the moving average"):
        pooled_run(ema=0)
