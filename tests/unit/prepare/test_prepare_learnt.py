"""Which labels go on, and the rules that make those of digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.overlay import merged
from stages.common.errors import UserError
from stages.common.params import read_yaml
from stages.common.spec import DatasetSpec
from stages.prepare.ink import ink_depth, ink_keypoints
from stages.prepare.learnt import (
    check_annotator,
    check_baselines,
    check_gan_labels,
    check_target,
    learnt_pixels,
    learnt_spec,
)
from stages.prepare.sources import nyu
from stages.prepare.sources.digits import read_digit

ROOT = Path(__file__).resolve().parents[3]
BOXES: dict[str, Any] = {"classes": ("nothing", "a"), "labels": "boxes"}
# The labels of sources whose presets name a target.
LABELS: dict[str, dict[str, Any]] = {
    "nyu": {"classes": nyu.CLASSES, "keypoints": len(nyu.JOINTS), "depth": True},
    "coco": BOXES,
    "voc": BOXES,
    "digit_scenes": BOXES,
}

EVERYTHING = DatasetSpec(
    name="all", size=(8, 8), channels=1, classes=("background", "1"), keypoints=5, flip=(0, 1, 3, 2, 4), depth=True
)


def cross() -> np.ndarray:
    ink = np.zeros((8, 8), bool)
    ink[1:6, 3] = True
    ink[2, 1:7] = True
    return ink


def test_keypoints_of_ink_by_hand() -> None:
    found = ink_keypoints(cross())
    assert found[:4].tolist() == [[3, 1, 2], [3, 5, 2], [1, 2, 2], [6, 2, 2]]
    rows, columns = np.nonzero(cross())
    assert found[4].tolist() == pytest.approx([columns.mean(), rows.mean(), 2])


def test_of_several_outermost_pixels_the_middle_one_counts() -> None:
    ink = np.zeros((8, 8), bool)
    ink[2, [1, 2, 6]] = True
    assert ink_keypoints(ink)[0].tolist() == [2, 2, 2]


def test_keypoints_without_ink_are_unknown() -> None:
    assert not ink_keypoints(np.zeros((4, 4), bool)).any()


def test_depth_is_the_distance_to_the_nearest_pixel_without_ink() -> None:
    ink = np.zeros((7, 7), bool)
    ink[1:6, 1:6] = True
    assert ink_depth(ink)[3].tolist() == [0, 1, 2, 3, 2, 1, 0]


@pytest.mark.parametrize(("learn", "kept"), [("classes", "mask"), ("keypoints", "keypoints"), ("depth", "depth")])
def test_one_kind_of_labels_goes_on(learn: str, kept: str) -> None:
    pixels = read_digit(cross().astype(np.uint8) * 255, 3)
    spec = learnt_spec(EVERYTHING, learn)  # type: ignore[arg-type]
    found = learnt_pixels(pixels, spec)
    assert [name for name in ("mask", "keypoints", "depth") if getattr(found, name) is not None] == [kept]
    assert (bool(spec.classes), spec.keypoints > 0, spec.depth) == tuple(
        kept == name for name in ("mask", "keypoints", "depth")
    )


def test_auto_takes_classes_before_keypoints_and_leaves_gaze_alone() -> None:
    assert learnt_spec(EVERYTHING, "auto") == EVERYTHING.model_copy(update={"keypoints": 0, "flip": (), "depth": False})
    gaze = EVERYTHING.model_copy(update={"gaze": True})
    assert learnt_spec(gaze, "auto") == gaze
    points = EVERYTHING.model_copy(update={"classes": ()})
    assert learnt_spec(points, "auto").keypoints == 5


def test_labels_that_are_not_there_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"the labels of all are classes and keypoints; set it to classes, keypoints or auto$"
    ):
        learnt_spec(EVERYTHING.model_copy(update={"depth": False}), "depth")


def test_a_target_of_labels_that_are_not_learnt_is_refused_before_anything_is_trained() -> None:
    words = (
        r"^params\.yaml: train\.target: hourglass learns keypoints, but all has labels: masks; choose auto or unet or "
        r"deeplabv3 or fpn, or other labels of the data by prepare\.learn$"
    )
    with pytest.raises(UserError, match=words):
        check_target(learnt_spec(EVERYTHING, "auto"), "hourglass")
    with pytest.raises(UserError, match=r"train\.target: hourglas is not a target; choose auto or unet"):
        check_target(EVERYTHING, "hourglas")
    check_target(learnt_spec(EVERYTHING, "keypoints"), "hourglass")
    check_target(learnt_spec(EVERYTHING, "depth"), "auto")


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_target_of_every_preset_learns_what_its_source_has(preset: Path) -> None:
    params = merged(read_yaml(ROOT / "params.yaml"), read_yaml(preset))
    source, target = params["prepare"]["source"], params["train"]["target"]
    if target != "auto":
        spec = DatasetSpec(name=source, size=(64, 64), channels=1, **LABELS[source])
        check_target(learnt_spec(spec, params["prepare"]["learn"]), target)


def test_recipes_of_a_gan_are_refused_for_boxes() -> None:
    boxes = EVERYTHING.model_copy(update={"labels": "boxes"})
    words = r"^evaluate\.recipes: gan, gan\+real cannot give boxes, which all has as labels; take them out$"
    with pytest.raises(UserError, match=words):
        check_gan_labels(boxes, ("real", "gan", "gan+real"))
    check_gan_labels(boxes, ("real", "composite"))
    check_gan_labels(EVERYTHING, ("real", "gan"))


def test_recipes_of_a_gan_are_refused_for_a_gaze() -> None:
    gaze = EVERYTHING.model_copy(update={"gaze": True})
    with pytest.raises(UserError, match=r"gan cannot give a gaze, which all has as labels; take them out$"):
        check_gan_labels(gaze, ("simulated", "gan"))
    check_gan_labels(gaze, ("simulated", "refined"))


@pytest.mark.parametrize("labels", [{"labels": "boxes"}, {"labels": "image"}, {"gaze": True}])
def test_baselines_for_masks_points_and_depth_are_refused_for_other_labels(labels: dict[str, Any]) -> None:
    spec = EVERYTHING.model_copy(update=labels)
    with pytest.raises(
        UserError, match=r"only masks, keypoints and depth suit transfer, mean_teacher, and all has none of these"
    ):
        check_baselines(spec, ("real", "transfer", "mean_teacher"))
    check_baselines(spec, ("real", "full"))
    check_baselines(EVERYTHING, ("transfer",))


def test_depth_that_nobody_can_annotate_is_refused_before_a_gan_is_trained():
    depth = learnt_spec(EVERYTHING, "depth")
    with pytest.raises(UserError, match=r"evaluate\.recipes: annotated, annotated\+real need annotations, but depth"):
        check_annotator(depth, ["real", "annotated", "gan", "annotated+real"], oracle=0)
    check_annotator(depth, ["real", "annotated"], oracle=600)
    check_annotator(depth, ["real", "gan"], oracle=0)
    check_annotator(learnt_spec(EVERYTHING, "keypoints"), ["annotated"], oracle=0)
