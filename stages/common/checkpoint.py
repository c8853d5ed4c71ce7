"""Training state on disk, so that a killed stage goes on where it was.

The state lies outside of DVC's outputs, in `.work/<stage>/<digest of params and inputs>/`: a changed parameter gets a
folder of its own and starts clean.
"""

import io
import shutil
import time
from pathlib import Path
from typing import Any

import torch

from stages.common.paths import project_root, write_atomically

SAVE_SECONDS = 300.0


class WorkFolder:
    """Keeps what a stage has done so far under the digest of its params and inputs."""

    def __init__(self, stage: str, digest: str, root: Path | None = None) -> None:
        self.path = (root or project_root()) / ".work" / stage / digest
        self.saved_at = time.monotonic()

    def overdue(self) -> bool:
        """Whether five minutes went by without saving: on a slow machine, a count of steps alone comes too seldom."""
        return time.monotonic() - self.saved_at > SAVE_SECONDS

    def save(self, state: dict[str, Any], name: str = "state.pt") -> None:
        """Write tensors, numbers, strings and containers of them, atomically."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.path / name, buffer.getvalue())
        self.saved_at = time.monotonic()

    def load(self, name: str = "state.pt") -> dict[str, Any] | None:
        """What was saved last, on the CPU; None when nothing was."""
        path = self.path / name
        return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None

    def clear(self) -> None:
        """Forget everything: the stage has published its result."""
        shutil.rmtree(self.path, ignore_errors=True)


def random_state() -> dict[str, Any]:
    """The state of torch's random generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: dict[str, Any]) -> None:
    """Set torch's random generators to a state of `random_state`."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
