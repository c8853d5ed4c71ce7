"""Who may use the GPUs, or all the cores of a machine without one, and when."""

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flows.graph import family

HEAVY_STAGES = frozenset({"pretrain", "invert", "label", "annotate", "refine", "compose", "generate", "train"})
CORES_PER_SLOT = 8
POLL_S = 0.5


class Slots:
    """Slots for the heavy stages; each is the environment that its holder runs with. Other stages take none."""

    def __init__(self, environments: list[dict[str, str]]) -> None:
        self.count = len(environments)
        self._free: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        for environment in environments:
            self._free.put(environment)

    @contextmanager
    def hold(self, stage: str, stopped: threading.Event) -> Iterator[Mapping[str, str]]:
        """The environment for the stage, once a slot is free or the run is stopped."""
        if family(stage) not in HEAVY_STAGES:
            yield {}
            return
        environment = self._take(stopped)
        try:
            yield environment or {}
        finally:
            if environment is not None:
                self._free.put(environment)

    def _take(self, stopped: threading.Event) -> dict[str, str] | None:
        while not stopped.is_set():
            try:
                return self._free.get(timeout=POLL_S)
            except queue.Empty:
                continue
        return None


def make_slots(device: str, gpus: int | None = None) -> Slots:
    """A slot a GPU, at most `gpus`; without a GPU one for every 8 cores, at least one.

    device: as in params.yaml; `cpu` leaves the GPUs alone.
    """
    found = [] if device == "cpu" else visible_gpus()
    if found:
        return Slots([{"CUDA_VISIBLE_DEVICES": gpu} for gpu in found[:gpus]])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = max(1, cores // CORES_PER_SLOT)
    # One slot alone keeps torch's own choice of threads, so that its sums are those of a plain `dvc repro`.
    threads = {"OMP_NUM_THREADS": str(cores // count)} if count > 1 else {}
    return Slots([dict(threads) for _ in range(count)])


def visible_gpus() -> list[str]:
    """The names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.replace(" ", "").split(",") if gpu and gpu != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(number) for number, _ in enumerate(line for line in listed.stdout.splitlines() if line[:4] == "GPU ")]
