import math
import sys

import pytest
import torch
from box_builders import boxed_set, boxes_spec, params_of, run_of

from stages.common.errors import UserError
from stages.train.targets import make_target
from stages.train.targets.torchvision_detectors import Pending, TorchvisionDetector

TERMS = {
    "ssd300": {"classification", "bbox_regression"},
    "fasterrcnn": {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"},
}
FEW = {"side": 64, "most": 7, "score_threshold": 0.0}


@pytest.mark.parametrize("name", TERMS)
def test_a_step_on_grey_images_changes_the_weights_and_predictions_have_the_shared_form(name: str) -> None:
    run = run_of(boxes_spec(), boxed_set(4), validated=False, target=name, batch=2, steps=1, detector=FEW, ema=0)
    before = run.learner.weights()
    images, labels = run._batch(0)
    terms = run.learner.update(0, images, labels)
    assert set(terms) == TERMS[name]
    assert all(math.isfinite(value) for value in terms.values())
    after = run.learner.weights()
    assert any(not torch.equal(after[key], tensor) for key, tensor in before.items())
    assert after.keys() == before.keys()
    found = run.learner.predict(images[:1])
    assert found.shape == (1, 7, 6)
    there = found[0][found[0, :, 4] >= 0]
    assert ((there[:, :4] >= 0) & (there[:, :4] <= 32)).all()
    assert set(there[:, 4].tolist()) <= {1.0, 2.0}
    assert there[:, 5].tolist() == sorted(there[:, 5].tolist(), reverse=True)


class Probe(torch.nn.Module):
    """Says in what precision it was asked to compute, and with which labels."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def forward(self, images: list[torch.Tensor], targets: list[dict[str, torch.Tensor]] | None = None) -> object:
        self.seen.append((images[0] @ images[0]).dtype)
        self.seen += [(t["boxes"].tolist(), t["labels"].tolist()) for t in targets or []]
        return [] if targets is None else {}


def test_boxes_are_computed_in_full_precision_whatever_the_rest_does() -> None:
    labels = torch.tensor([[[1.0, 2, 3, 4, 2], [0, 0, 0, 0, -1]], [[1, 1, 3, 3, -2], [0, 0, 0, 0, -1]]])
    probe, images = Probe(), torch.ones(2, 3, 4, 4)
    detector = TorchvisionDetector(probe, 7)
    with torch.autocast("cpu", torch.bfloat16):
        pending = detector.train()(images)
        detector.eval()(images)
    assert isinstance(pending, Pending)
    pending.losses(labels)
    assert probe.seen == [torch.float32, torch.float32, ([[1.0, 2, 3, 4]], [2]), ([], [])]


def test_without_torchvision_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(
        UserError, match=r"ssd300 needs torchvision, .* install the torch and torchvision of one release$"
    ):
        make_target(boxes_spec(), params_of(target="ssd300")).build()
