"""Loading a part of torchvision, or saying what to do where it does not load."""

import importlib
from types import ModuleType

from stages.common.errors import UserError


def torchvision_part(name: str, target: str, instead: str = "") -> ModuleType:
    """A module of torchvision, such as `models.detection`.

    Raises UserError when it does not load; `instead` is a target that goes without, where there is one.
    """
    package, _, part = f"torchvision.{name}".rpartition(".")
    try:
        found: ModuleType = getattr(importlib.import_module(package), part)
        return found
    except (ImportError, OSError, RuntimeError) as error:
        other = f", or set train.target to {instead}" if instead else ""
        raise UserError(
            f"train.target {target} needs torchvision, which does not load here ({' '.join(str(error).split())}); "
            f"install the torch and torchvision of one release{other}"
        ) from error
