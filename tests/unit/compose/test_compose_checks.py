import pytest
from compose_builders import SPEC, small_params

from stages.common.errors import UserError
from stages.compose.checks import refuse_target, refuse_unfit
from stages.train.params import TrainParams
from stages.train.targets import make_target

STILL = {"rotate": 0, "shear": 0, "scale_x": [1, 1], "scale_y": [1, 1], "shift": 0}


@pytest.mark.parametrize(
    ("changes", "labels", "words"),
    [
        ({"objects": [1, 2]}, "image", r"compose\.objects: .* set it to \[1, 1\]"),
        ({"objects": [1, 2]}, "keypoints", r"compose\.objects: the keypoints .* set it to \[1, 1\]"),
        ({"critic": {"levels": 5}}, "masks", r"compose\.critic\.levels: 5 halvings of 24 pixels leave none"),
        ({"placement": STILL}, "masks", r"compose\.placement: no parameter has a range"),
    ],
)
def test_params_that_do_not_fit_are_refused_in_a_sentence(changes, labels, words):
    update = {"keypoints": 2} if labels == "keypoints" else {"labels": labels}
    with pytest.raises(UserError, match=words):
        refuse_unfit(SPEC.model_copy(update=update), small_params(**changes))


def test_params_that_fit_are_not_refused():
    refuse_unfit(SPEC, small_params(objects=[1, 2]))
    refuse_unfit(SPEC, small_params(placement=STILL, placer="random"))


@pytest.mark.parametrize(
    ("changes", "train", "words"),
    [
        (
            {"gaze": True},
            {},
            "composites carry masks, boxes, classes, keypoints or depth, but train.target gaze_cnn learns gaze",
        ),
        ({"labels": "boxes"}, {"target": "fasterrcnn"}, "loss can be taken while it is frozen, not fasterrcnn"),
    ],
)
def test_targets_that_composites_cannot_teach_are_refused(changes, train, words):
    target = make_target(SPEC.model_copy(update=changes), TrainParams.model_validate(train))
    with pytest.raises(UserError, match=words):
        refuse_target(target)
