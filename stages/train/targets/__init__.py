"""The targets by name."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.common.tasks import AUTO, refuse_unfit
from stages.common.tensors import to_images
from stages.common.weights import load_into, load_weights
from stages.train.params import TrainParams
from stages.train.targets.base import Target
from stages.train.targets.classifier import ClassifierTarget
from stages.train.targets.deeplab import DeepLabTarget
from stages.train.targets.depth import DepthTarget
from stages.train.targets.fpn import PyramidDepthTarget, PyramidKeypointTarget, PyramidSegmentationTarget
from stages.train.targets.gaze import GazeTarget
from stages.train.targets.hourglass import HourglassTarget
from stages.train.targets.ssd import SmallSSDTarget
from stages.train.targets.torchvision_detectors import FasterRCNNTarget, SSD300Target
from stages.train.targets.unet import UNetTarget

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        UNetTarget,
        DeepLabTarget,
        GazeTarget,
        HourglassTarget,
        DepthTarget,
        ClassifierTarget,
        SmallSSDTarget,
        SSD300Target,
        FasterRCNNTarget,
        PyramidSegmentationTarget,
        PyramidKeypointTarget,
        PyramidDepthTarget,
    )
}
PRETRAINED = {
    target.task: target.name for target in (PyramidSegmentationTarget, PyramidKeypointTarget, PyramidDepthTarget)
}
OF_LABELS = {"image": ClassifierTarget.name, "boxes": SmallSSDTarget.name}
DEEPLAB_FROM = 128


def make_target(spec: DatasetSpec, params: TrainParams) -> Target:
    """The target that `train.target` names, or that suits the data.

    Raises UserError for an unknown name, and for a target that learns from labels which the data does not have.
    """
    name = suited(spec) if params.target == AUTO else params.target
    refuse_unfit(name, spec)
    return TARGETS[name](spec, params)


def recipe_target(recipe: str, spec: DatasetSpec, params: TrainParams) -> Target:
    """The target of `make_target`; for the recipe `transfer` the one of the same task whose weights start from
    ImageNet's. Raises UserError for a task that has none."""
    target = make_target(spec, params)
    if recipe != "transfer":
        return target
    if target.task not in PRETRAINED:
        raise UserError(
            f"params.yaml: evaluate.recipes: transfer is for {', '.join(PRETRAINED)}, but {spec.name} is about "
            f"{target.task} here; take it out"
        )
    return make_target(spec, params.model_copy(update={"target": PRETRAINED[target.task]}))


def suited(spec: DatasetSpec) -> str:
    """The target for the labels that real images have, and for the image size."""
    if spec.gaze:
        return GazeTarget.name
    if spec.keypoints and not spec.classes:
        return HourglassTarget.name
    if spec.depth and not spec.classes:
        return DepthTarget.name
    if spec.labels in OF_LABELS:
        return OF_LABELS[spec.labels]
    return DeepLabTarget.name if min(spec.size) >= DEEPLAB_FROM else UNetTarget.name


def target_config(target: Target) -> dict[str, object]:
    """What `load_target` needs to build the network again, as JSON values."""
    params = target.params.model_copy(update={"target": target.name})
    return {"spec": target.spec.model_dump(mode="json"), "params": params.model_dump(mode="json")}


def load_target(path: Path) -> tuple[Target, nn.Module]:
    """The target and its network that `train` wrote to `path`, in evaluation mode, on the CPU.

    Raises UserError when the file is no safetensors file or was not written by `train`.
    """
    tensors, config = load_weights(path)
    if not {"spec", "params"} <= set(config):
        raise UserError(f"{path}: holds no target model; delete it and run `dvc repro train`")
    target = make_target(DatasetSpec.model_validate(config["spec"]), TrainParams.model_validate(config["params"]))
    return target, load_into(target.blank(), tensors)


@torch.inference_mode()
def predict(target: Target, module: nn.Module, images: np.ndarray, device: torch.device, batch: int = 64) -> Tensor:
    """Images (N, H, W, C) uint8 to predictions on the CPU; the module is moved to the device and set to evaluate."""
    module.to(device).eval()
    parts = [to_images(images[start : start + batch]).to(device) for start in range(0, len(images), batch)]
    return torch.cat([target.predict(module(part)).cpu() for part in parts])
