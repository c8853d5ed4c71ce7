"""What compositing cannot do, said before it begins."""

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.compose.params import ComposeParams
from stages.compose.placement import varied
from stages.train.targets.base import Target

SMALLEST = 8  # pixels a side: the context model halves three times


def refuse_unfit(spec: DatasetSpec, params: ComposeParams) -> None:
    """Raises UserError for params that do not suit the images or their labels."""
    if spec.labels == "image" and params.objects != (1, 1):
        raise UserError("compose.objects: the class of a whole image is that of its one object; set it to [1, 1]")
    if spec.keypoints and params.objects != (1, 1):
        raise UserError("compose.objects: the keypoints of an image are those of its one object; set it to [1, 1]")
    for name, levels in (("synthesizer", params.synthesizer.levels), ("critic", params.critic.levels)):
        if min(spec.size) < 2**levels:
            raise UserError(f"compose.{name}.levels: {levels} halvings of {min(spec.size)} pixels leave none; lower it")
    if params.placer == "learned" and not varied(params.placement).any():
        raise UserError(
            "compose.placement: no parameter has a range, so there is nothing to learn; set placer to random"
        )
    if params.placer == "context" and min(spec.size) < SMALLEST:
        raise UserError(f"compose.placer: context needs images of {SMALLEST} pixels a side; take learned or random")


def refuse_target(target: Target) -> None:
    """Raises UserError for a target that composites have no labels for, or that has no loss while it is frozen."""
    if target.task not in ("segmentation", "detection", "classification", "keypoints", "depth"):
        raise UserError(
            f"compose: composites carry masks, boxes, classes, keypoints or depth, but train.target {target.name} "
            f"learns {target.task}; set prepare.foregrounds.source to none, or train.target to one of the former"
        )
    if not target.loss_while_frozen:
        raise UserError(
            f"compose.placer: learned needs a target whose loss can be taken while it is frozen, not {target.name}; "
            "set it to random or context, or train.target to ssd_small"
        )
