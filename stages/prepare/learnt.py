"""Which of a source's labels go on to the other stages: `prepare.learn`."""

from collections.abc import Iterable
from typing import Any, Literal

from stages.common.errors import UserError
from stages.common.recipes import BASELINES, DRAWN
from stages.common.spec import DatasetSpec
from stages.common.tasks import AUTO, refuse_unfit
from stages.prepare.records import Pixels

Learn = Literal["auto", "classes", "keypoints", "depth"]


def learnt_spec(spec: DatasetSpec, learn: Learn) -> DatasetSpec:
    """The spec with the labels that are learnt alone. With `auto`, data with a gaze keeps what else it has.

    Raises UserError when the data has no labels of that kind.
    """
    there = {"classes": bool(spec.classes), "keypoints": spec.keypoints > 0, "depth": spec.depth}
    if learn == "auto":
        if spec.gaze:
            return spec
        chosen = next((kind for kind, has in there.items() if has), "")
    elif there[learn]:
        chosen = learn
    else:
        kinds = [kind for kind, has in there.items() if has]
        raise UserError(
            f"prepare.learn: {learn}, but the labels of {spec.name} are {' and '.join(kinds) or 'none of these'}; "
            f"set it to {', '.join(kinds)}{' or ' if kinds else ''}auto"
        )
    return spec.model_copy(
        update={
            "classes": spec.classes if chosen == "classes" else (),
            "labels": spec.labels if chosen == "classes" else "masks",
            "keypoints": spec.keypoints if chosen == "keypoints" else 0,
            "flip": spec.flip if chosen == "keypoints" else (),
            "depth": spec.depth and chosen == "depth",
            "gaze": False,
        }
    )


def learns_classes(spec: DatasetSpec, learn: Learn) -> bool:
    """Whether the spec that `learnt_spec` gives has classes. Images are split by them even where it has none."""
    return bool(spec.classes) and learn in ("auto", "classes")


def check_target(spec: DatasetSpec, target: str) -> None:
    """Raises UserError when the target model that `train.target` names learns from labels which are not learnt.

    Said before anything is trained: `train` runs after all that makes its training sets.
    """
    if target != AUTO:
        refuse_unfit(target, spec)


def check_gan_labels(spec: DatasetSpec, recipes: Iterable[str]) -> None:
    """Raises UserError when a recipe has a GAN's images labelled, and the labels are boxes or a gaze.

    Said before the GAN is trained, which takes the longest.
    """
    named = [recipe for recipe in recipes if recipe.split("+")[0] in DRAWN]
    lacking = "a gaze" if spec.gaze else "boxes" if spec.labels == "boxes" else None
    if named and lacking:
        raise UserError(
            f"evaluate.recipes: {', '.join(named)} cannot give {lacking}, which {spec.name} has as labels; take them "
            "out"
        )


def check_baselines(spec: DatasetSpec, recipes: Iterable[str]) -> None:
    """Raises UserError when a baseline of the articles is compared, and the labels are not of the kinds it is for."""
    named = [recipe for recipe in recipes if recipe in BASELINES]
    if named and (spec.gaze or spec.labels != "masks"):
        raise UserError(
            f"evaluate.recipes: only masks, keypoints and depth suit {', '.join(named)}, and {spec.name} has none of "
            "these as labels; take out what does not suit"
        )


def check_annotator(spec: DatasetSpec, recipes: Iterable[str], oracle: int) -> None:
    """Raises UserError when a recipe needs annotations that nobody can make: of the class of whole images, which no
    format here holds, and of depth, where there is no oracle.

    oracle: how many images it has to learn from.
    """
    named = [recipe for recipe in recipes if recipe.split("+")[0] == "annotated"]
    if named and spec.labels == "image":
        raise UserError(
            f"evaluate.recipes: {', '.join(named)} need annotations of pixels or keypoints, but {spec.name} has "
            "classes of whole images; take them out"
        )
    if named and spec.depth and not spec.classes and not oracle:
        raise UserError(
            f"evaluate.recipes: {', '.join(named)} need annotations, but depth cannot be annotated by hand; take them "
            "out (digits alone have an oracle: prepare.oracle)"
        )


def learnt_pixels(pixels: Pixels, spec: DatasetSpec) -> Pixels:
    """An image with the labels of a spec that `learnt_spec` gave; what a cut-out is made of stays."""
    if spec.gaze:
        return pixels
    kept = {
        "mask": bool(spec.classes) and spec.labels == "masks",
        "boxes": spec.labels == "boxes",
        "ignored": spec.labels == "boxes",
        "class_id": spec.labels == "image" or pixels.alpha is not None,
        "keypoints": spec.keypoints > 0,
        "depth": spec.depth,
        "gaze": False,
    }
    dropped: dict[str, Any] = {name: None for name, keep in kept.items() if not keep}
    return pixels._replace(**dropped)
