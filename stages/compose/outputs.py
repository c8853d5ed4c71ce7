"""What `compose` leaves behind."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import nn

from stages.common.paths import publish, write_atomically
from stages.common.spec import DatasetSpec
from stages.compose.params import ComposeParams
from stages.compose.run import Run
from stages.compose.storage import save_placer

MODELS, REPORTS = Path("models/compose"), Path("reports/compose")
PICTURES = REPORTS / "pictures"


def write_placer(params: ComposeParams, spec: DatasetSpec, network: nn.Module | None, pasted: Iterable[Path]) -> None:
    """The placer."""
    with publish(MODELS) as folder:
        save_placer(folder, params, spec, network, pasted)


def write_reports(run: Run | None, metrics: Mapping[str, float]) -> None:
    """The pictures and stats of the training, where there was one, and metrics.json."""
    with publish(PICTURES) as folder:
        if run is not None:
            shutil.copytree(run.pictures, folder, dirs_exist_ok=True)
    stats = run.stats.path.read_bytes() if run is not None and run.stats.path.is_file() else b""
    write_atomically(REPORTS / "stats.jsonl", stats)
    write_atomically(REPORTS / "metrics.json", json.dumps(dict(metrics), indent=1).encode())


def write_nothing() -> None:
    """The outputs of a run without cut-outs."""
    with publish(MODELS):
        pass
    write_reports(None, {})
