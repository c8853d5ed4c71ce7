"""What the target models learn, by their names, and what the labels of a data set allow to be learnt."""

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec

AUTO = "auto"  # the target that suits the data
# By the name of a target: here and not with the targets, so that a stage can ask without loading PyTorch.
TASKS: dict[str, str] = {
    "unet": "segmentation",
    "deeplabv3": "segmentation",
    "gaze_cnn": "gaze",
    "hourglass": "keypoints",
    "depth_unet": "depth",
    "classifier": "classification",
    "ssd_small": "detection",
    "ssd300": "detection",
    "fasterrcnn": "detection",
    "fpn": "segmentation",
    "fpn_keypoints": "keypoints",
    "fpn_depth": "depth",
}
OF_CLASSES = {"masks": "segmentation", "boxes": "detection", "image": "classification"}


def tasks_of(spec: DatasetSpec) -> dict[str, str]:
    """What can be learnt from the labels of a data set: {task: the labels as dataset.yaml calls them}."""
    found = {OF_CLASSES[spec.labels]: f"labels: {spec.labels}"} if spec.classes else {}
    found |= {"keypoints": "keypoints"} if spec.keypoints else {}
    found |= {"depth": "depth"} if spec.depth else {}
    return found | ({"gaze": "gaze"} if spec.gaze else {})


def refuse_unfit(target: str, spec: DatasetSpec) -> None:
    """Raises UserError for a name of no target, and for a target that learns from labels which the data does not
    have."""
    if target not in TASKS:
        raise UserError(f"params.yaml: train.target: {target} is not a target; choose auto or {' or '.join(TASKS)}")
    tasks = tasks_of(spec)
    if TASKS[target] not in tasks:
        fitting = "".join(f" or {name}" for name, task in TASKS.items() if task in tasks)
        raise UserError(
            f"params.yaml: train.target: {target} learns {TASKS[target]}, but {spec.name} has "
            f"{' and '.join(tasks.values()) or 'no labels'}; choose auto{fitting}, or other labels of the data by "
            "prepare.learn"
        )
