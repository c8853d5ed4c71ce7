"""Files of weights that others wrote. Tensors and plain values are read, and no code is run."""

import argparse
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stages.common.errors import UserError

PICKLE, ZIP = b"\x80", b"PK"


def read_content(path: Path) -> dict[str, Any]:
    """What a .safetensors file or a torch file holds, tensors on the CPU.

    Raises UserError when the file is missing, is neither, or holds pickled objects other than tensors.
    """
    if not path.is_file():
        raise UserError(f"pretrain.weights: {path}: no such file; give the path of a StyleGAN2 generator, or null")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}; save the state dict of a StyleGAN2 generator")
    return content


def named_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors among the values."""
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read as safetensors ({error}); save it again") from error


def _read_torch(path: Path) -> Any:
    try:
        # Checkpoints of the rosinality port carry the options of their training, a plain record of values.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises almost anything
        raise UserError(f"{path}: {_why_unreadable(path, error)}") from error


def _why_unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as stream:
        start = stream.read(2)
    # A zip archive that torch did not write, or that was cut off, is a RuntimeError.
    if start.startswith(PICKLE) or (start == ZIP and not isinstance(error, RuntimeError)):
        return (
            "holds pickled objects, which can run code and are never loaded; convert it: open it once with the code "
            "that wrote it and save the state_dict() of its averaged generator with torch.save or as safetensors"
        )
    return "is neither a .safetensors nor a torch file, or is damaged; give a saved state dict"
