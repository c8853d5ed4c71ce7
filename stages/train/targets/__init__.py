"""The targets by name."""

from pathlib import Path

from torch import nn

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.common.weights import load_into, load_weights
from stages.train.params import TrainParams
from stages.train.targets.base import Target
from stages.train.targets.deeplab import DeepLabTarget
from stages.train.targets.unet import UNetTarget

TARGETS: dict[str, type[Target]] = {target.name: target for target in (UNetTarget, DeepLabTarget)}
DEEPLAB_FROM = 128


def make_target(spec: DatasetSpec, params: TrainParams) -> Target:
    """The target that `train.target` names, or that suits the image size. Raises UserError for an unknown name."""
    name = params.target
    if name == "auto":
        name = DeepLabTarget.name if min(spec.size) >= DEEPLAB_FROM else UNetTarget.name
    if name not in TARGETS:
        raise UserError(f"params.yaml: train.target: {name} is not a target; choose auto or {' or '.join(TARGETS)}")
    return TARGETS[name](spec, params)


def target_config(target: Target) -> dict[str, object]:
    """What `load_target` needs to build the network again, as JSON values."""
    params = target.params.model_copy(update={"target": target.name})
    return {"spec": target.spec.model_dump(mode="json"), "params": params.model_dump(mode="json")}


def load_target(path: Path) -> nn.Module:
    """The network that `train` wrote to `path`, in evaluation mode, on the CPU.

    Raises UserError when the file is no safetensors file or was not written by `train`.
    """
    tensors, config = load_weights(path)
    if not {"spec", "params"} <= set(config):
        raise UserError(f"{path}: holds no target model; delete it and run `dvc repro train`")
    target = make_target(DatasetSpec.model_validate(config["spec"]), TrainParams.model_validate(config["params"]))
    return load_into(target.build(), tensors)
