"""Choosing the device, seeding."""

import psutil
import torch

from stages.common.errors import UserError
from stages.common.params import Device


def pick_device(wanted: Device) -> torch.device:
    """`auto` takes the GPU when there is one. Raises UserError for `cuda` on a machine without."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: device is cuda, but torch finds no CUDA GPU here; set device to auto or cpu")
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on the device, of a GPU its own."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def seeded(*parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is a function of all of `parts` (for example seed, shard and image)."""
    seed = 0
    for part in parts:
        seed = (seed * 1_000_003 + part + 0x9E3779B9) % 2**63
    return torch.Generator(device=device).manual_seed(seed)
