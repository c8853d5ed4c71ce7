"""Weights as safetensors, with the params that built the network as metadata. Nothing is unpickled."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stages.common.errors import UserError


def save_weights(path: Path, state: dict[str, Tensor], config: dict[str, Any]) -> None:
    """Write a state dict (or any named tensors); `config` must be JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, path, metadata={"config": json.dumps(config, sort_keys=True)})


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU, and the config. Raises UserError when the file is no safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads((file.metadata() or {}).get("config", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, config  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read as safetensors ({error}); delete it and rerun its stage") from error


def load_into(module: torch.nn.Module, tensors: dict[str, Tensor]) -> torch.nn.Module:
    """The module with these weights, in evaluation mode and without gradients.

    Raises UserError when the weights are those of another architecture, as after a change of the code.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        name = type(module).__name__
        raise UserError(f"the saved weights do not fit the {name} that the code builds now; rerun its stage") from error
    return module.eval().requires_grad_(False)
