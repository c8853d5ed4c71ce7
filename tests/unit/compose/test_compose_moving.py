from dataclasses import replace

import pytest
import torch
from compose_builders import CPU, SPEC, as_bank, make_composer, make_trainer, shapes, small_params
from torch.nn import functional as F

from stages.compose.composer import as_samples
from stages.compose.moving import moving_labels
from stages.compose.pasting import Canvas
from stages.compose.state import new_state
from stages.train.params import TrainParams
from stages.train.targets import make_target
from stages.train.training import LabelledData

WIDE = {"rotate": 0, "shear": 0, "scale_x": [0.5, 2.0], "scale_y": [0.5, 2.0], "shift": 1.0}


def canvas_of(placements: torch.Tensor, **changes: object) -> Canvas:
    composer = make_composer(small_params(placement=WIDE, **changes))
    return composer.compose(lambda *_: placements, len(placements), torch.Generator().manual_seed(0))


def placements(**moved: float) -> torch.Tensor:
    values = {"rotate": 0.0, "shear": 0.0, "scale_x": -0.2, "scale_y": -0.2, "shift_x": 0.3, "shift_y": -0.4} | moved
    return torch.tensor([[*values.values()]] * 3, requires_grad=True)


def target_for(labels: str):
    return make_trainer(small_params(), labels=labels)[0].target  # type: ignore[arg-type]


def test_the_shares_of_a_mask_are_those_of_the_usual_labels():
    canvas, target = canvas_of(placements()), target_for("masks")
    shares = moving_labels(target, canvas)
    usual = target.labels(as_samples(canvas)).long()
    assert torch.equal(shares.detach(), F.one_hot(usual, 3).movedim(3, 1).float())


def test_an_object_that_moves_takes_its_mask_with_it():
    start = placements()
    shares = moving_labels(target_for("masks"), canvas_of(start))
    columns = torch.arange(32.0) + 0.5
    objects = shares[:, 1:].sum(dim=1)
    middle = (objects * columns).sum() / objects.sum().detach()
    area_change = torch.autograd.grad(objects.sum(), start, retain_graph=True)[0][:, 4]
    (slope,) = torch.autograd.grad(middle, start)
    assert area_change.abs().max() < 0.05 * objects.sum()
    assert (slope[:, 4] > 0).all()
    ahead = canvas_of(placements(shift_x=0.4)).placed[:, 0] - canvas_of(start).placed[:, 0]
    areas = objects.sum(dim=(1, 2)).detach()
    # Masks count a pixel from half opacity on, the slope all of it, so small objects differ a little.
    assert slope[:, 4].tolist() == pytest.approx((10 * ahead * areas / areas.sum()).tolist(), rel=0.15)


def test_an_object_that_moves_takes_its_box_with_it():
    start = placements()
    canvas, target = canvas_of(start), target_for("boxes")
    boxes = moving_labels(target, canvas)
    assert torch.equal(boxes.detach(), target.labels(as_samples(canvas)))
    (slope,) = torch.autograd.grad(boxes[:, 0, 0].sum(), start)
    ahead = canvas_of(placements(shift_x=0.4)).placed[:, 0] - canvas.placed[:, 0]
    assert slope[:, 4].tolist() == pytest.approx((10 * ahead).tolist(), rel=1e-3)
    assert (slope[:, 5] == 0).all()


def test_only_the_box_of_the_last_object_moves():
    start = placements(shift_x=-0.9)
    canvas = canvas_of(start, objects=[2, 2], min_visible=0.0)
    boxes = moving_labels(target_for("boxes"), canvas)
    last = boxes[:, -1, 4] >= 0
    assert last.any()
    assert torch.autograd.grad(boxes[last][:, 0, 0].sum(), start, retain_graph=True)[0].abs().sum() == 0
    assert torch.autograd.grad(boxes[last][:, -1, 0].sum(), start)[0].abs().sum() > 0


def test_a_class_stays_what_it_is():
    canvas = canvas_of(placements())
    assert torch.equal(moving_labels(target_for("image"), canvas), canvas.class_ids[:, -1])


@pytest.mark.parametrize("dice", [0.0, 1.0])
def test_the_losses_of_masks_one_by_one_are_those_of_batches_of_one(dice):
    target = make_target(target_for("masks").spec, TrainParams(dice=dice))
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(4, 3, 24, 32, generator=generator)
    masks = torch.randint(3, (4, 24, 32), generator=generator).to(torch.uint8)
    masks[0] = 0
    weights = torch.tensor([0.5, 1.0, 2.0])
    each = target.losses_each(outputs, F.one_hot(masks.long(), 3).movedim(3, 1).float(), weights)
    alone = [target.loss_terms(outputs[i : i + 1], masks[i : i + 1], weights) for i in range(4)]
    assert each.tolist() == pytest.approx([float(sum(terms.values())) for terms in alone], rel=1e-5)


def test_the_synthesizer_learns_from_a_target_of_keypoints():
    params = small_params(warm_up=1, steps=1)
    small = {"stacks": 1, "width": 8, "depth": 2, "heat_map": 8}
    train = TrainParams.model_validate({"target": "hourglass", "steps": 10, "hourglass": small})
    target = make_target(SPEC.model_copy(update={"keypoints": 1}), train)
    objects = shapes()
    middles = (objects.boxes[:, :2] + objects.boxes[:, 2:]) / 2 - 0.5
    known = torch.cat([middles, torch.full((2, 1), 2.0)], dim=1)[:, None]
    plain = make_trainer(params)[0]
    reals = LabelledData(plain.reals.images, known[:1].expand(4, -1, -1), plain.reals.is_real)
    composer = replace(plain.composer, objects=as_bank(replace(objects, keypoints=known)))
    trainer = replace(plain, composer=composer, reals=reals, target=target)
    state = new_state(params, target, None, 0, CPU)
    before = [value.clone() for value in state.synthesizer.parameters()]
    assert all(torch.isfinite(value).all() for terms in trainer.run(state) for value in terms.values())
    assert all(not torch.equal(new, old) for new, old in zip(state.synthesizer.parameters(), before, strict=True))
