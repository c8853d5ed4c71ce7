"""How report and cards speak of each kind of task, of its metric, and of the recipes."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.common.recipes import JOIN
from stages.common.spec import DatasetSpec
from stages.train.targets.base import Metric


@dataclass(frozen=True)
class Wording:
    """The words of one task.

    title: how the model card begins. output: of the network, with the fields of the spec in braces; `{count}` is the
    number of classes, `{foreground}` that without the first. tag: what model hubs sort by, empty where they have none.
    part, part_score, failure: of what the metric has parts, what the score of a part is called, and what a recipe may
    fail to do with it. score: of an image; empty for the metric's own name. explanation: of the metric; empty to make
    one of its title.
    """

    title: str
    output: str
    tag: str = ""
    part: str = ""
    part_score: str = ""
    failure: str = ""
    score: str = ""
    explanation: str = ""


SIDES = "{size[0]}, {size[1]}"
WORDINGS = {
    "segmentation": Wording(
        "Segmentation of",
        f"(N, {{count}}, {SIDES}) class scores; the highest is the class",
        tag="image-segmentation",
        part="class",
        part_score="IoU",
        failure="label",
        score="mean IoU",
        explanation="mIoU (mean intersection over union, 0 to 1) is the overlap of predicted and true pixels divided "
        "by their union, averaged over the classes that the test masks show.",
    ),
    "gaze": Wording(
        "Gaze of",
        "(N, 3) directions x, y, z of any length: x to the right of the image, y down, z away from the camera; divide "
        "each by its length",
    ),
    "keypoints": Wording(
        "Keypoints of",
        "(N, stacks, {keypoints}, height, width) heat maps; the highest value in the map of the last stack is the "
        "place of the keypoint",
        tag="keypoint-detection",
        part="keypoint",
        part_score="PCK",
        failure="find",
    ),
    "depth": Wording(
        "Depth of",
        f"(N, 1, {SIDES}) natural logarithms of the depth, in the unit of the data",
        tag="depth-estimation",
        score="mean relative error",
        explanation="AbsRel is the mean, over all pixels whose depth is known, of the error divided by the true depth.",
    ),
    "classification": Wording(
        "Classification of",
        "(N, {foreground}) class scores; the highest in column k, counted from 0, means class k + 1",
        tag="image-classification",
        part="class",
        part_score="accuracy",
        failure="recognise",
        explanation="Accuracy (0 to 1) is the share of the images whose class is found; that of a class is the share "
        "of its own images.",
    ),
    "detection": Wording(
        "Detection of",
        "of the target `ssd_small` (N, default boxes, {count} + 4) class scores and box offsets, which its `predict` "
        "turns into boxes; of the others (N, boxes, 6) left, top, right, bottom in pixels, class and score, class -1 "
        "where there are no more",
        tag="object-detection",
        part="class",
        part_score="AP",
        failure="find",
        score="mean average precision",
        explanation="mAP (mean average precision, 0 to 1) is the area under the curve of precision over recall, "
        "averaged over classes and over how much a box must overlap the true one to count (IoU 0.5 to 0.95).",
    ),
}

RECIPES = {
    "real": "the labelled real images",
    "gan": "a GAN learned from unlabelled images; the labelled images were inverted into its latent space; an ensemble "
    "of per-pixel classifiers over its features learned their labels; new images were drawn and labelled by it",
    "annotated": "the same, but its labels were learned from images that the GAN draws, selected and annotated for it",
    "simulated": "the simulator's images with their exact labels",
    "refined": "the same, made to look real by a refiner learned from the unlabelled images",
    "composite": "cut-out objects, pasted on backgrounds where a placer puts them",
    "transfer": "the labelled real images, learned by a network whose backbone was trained on ImageNet",
    "mean_teacher": "the labelled real images, and unlabelled ones on which the model has to agree with the moving "
    "average of its own weights",
    "full": "the labelled real images with all further ones that have labels: the upper bound",
}
REAL_ALONE = ("real", "transfer", "mean_teacher", "full")  # nothing is generated for them


def recipe_lines(recipes: Sequence[str], by_oracle: bool = False) -> list[tuple[str, str]]:
    """(recipe, how it is made) of the recipes and of those that they join, each once.

    by_oracle: whether an oracle annotated for the recipe `annotated`.
    """
    wanted = set(recipes)
    bases = {recipe.removesuffix(JOIN) for recipe in wanted} | ({"real"} if any(JOIN in r for r in wanted) else set())
    if "refined" in bases:
        bases.add("simulated")
    if "annotated" in bases:
        bases.add("gan")
    annotator = " by an oracle, not by a person" if by_oracle else ""
    lines = [(n, text + annotator * (n == "annotated")) for n, text in RECIPES.items() if n in bases]
    return lines + [(recipe, "both joined") for recipe in recipes if recipe.endswith(JOIN)]


def scale(metric: Metric) -> str:
    """What values a metric takes and which are better: `0 to 1`, `lower is better`."""
    return ", ".join(filter(None, [metric.range, "" if metric.higher_is_better else "lower is better"]))


def in_brackets(metric: Metric) -> str:
    """The metric with its unit and scale: `mIoU (0 to 1)`, `gaze error (°, lower is better)`."""
    inside = ", ".join(filter(None, [metric.unit.strip(), scale(metric)]))
    return f"{metric.short} ({inside})" if inside else metric.short


def explanation(metric: Metric, words: Wording) -> str:
    """What the metric is, in a sentence."""
    bounds = f", {scale(metric)}" if scale(metric) else ""
    return words.explanation or f"{opening(metric.short)} is the {metric.title}{bounds}."


def opening(text: str) -> str:
    """The text with a capital letter, unless its first word has one of its own, as `mIoU`."""
    first = text.partition(" ")[0]
    return text if first != first.lower() else text[:1].upper() + text[1:]


def labels_of(spec: DatasetSpec) -> str:
    """What labels each image of the dataset has and in which form."""
    found = {
        "a mask for each: uint8 class ids, 0 = background, 255 = ignore": bool(spec.classes) and spec.labels == "masks",
        "boxes for each: left, top, right, bottom in pixels from the upper left corner, and the class id from 1 on": (
            spec.labels == "boxes"
        ),
        "a class for each: the column class_id of the index, from 1 on": spec.labels == "image",
        "a direction of gaze for each: pitch and yaw in radians, 0 and 0 into the camera, pitch positive upwards, yaw "
        "positive towards the left of the image": spec.gaze,
        f"{spec.keypoints} keypoints for each: x and y in pixels and visibility, 0 = unknown, 1 = hidden, 2 = seen": (
            bool(spec.keypoints)
        ),
        "a depth map for each: float32, 0 = unknown": spec.depth,
    }
    return "; ".join(text for text, there in found.items() if there)


def task_categories(spec: DatasetSpec) -> list[str]:
    """What dataset hubs call the tasks that the labels serve."""
    found = {
        "image-segmentation": bool(spec.classes) and spec.labels == "masks",
        "object-detection": spec.labels == "boxes",
        "image-classification": spec.labels == "image",
        "keypoint-detection": bool(spec.keypoints),
        "depth-estimation": spec.depth,
    }
    return [name for name, there in found.items() if there] or ["other"]
