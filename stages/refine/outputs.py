"""What `refine` leaves behind."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.common.paths import publish, write_atomically
from stages.common.spec import DatasetSpec
from stages.common.tensors import ImageBank
from stages.refine.networks import Refiner
from stages.refine.params import RefineParams
from stages.refine.report import write_pictures
from stages.refine.run import Run
from stages.refine.segmenter import Segmenter
from stages.refine.storage import save_refiner, save_segmenter

MODELS, REPORTS = Path("models/refine"), Path("reports/refine")
PICTURES = REPORTS / "pictures"


def write_reports(
    run: Run,
    simulated: ImageBank,
    refined: ImageBank,
    real: ImageBank,
    masks: np.ndarray | None,
    classes: int,
    metrics: Mapping[str, float],
) -> None:
    """The pictures of the training and of its end, stats.jsonl, metrics.json."""
    with publish(PICTURES) as folder:
        shutil.copytree(run.pictures, folder, dirs_exist_ok=True)
        write_pictures(folder, simulated, refined, real, masks, classes)
    shutil.copy(run.stats.path, REPORTS / "stats.jsonl")
    write_atomically(REPORTS / "metrics.json", json.dumps(metrics, indent=1).encode())


def write_models(refiner: Refiner, segmenter: Segmenter | None, spec: DatasetSpec, params: RefineParams) -> None:
    """The refiner, and the segmenter that tells how far a label moved, where there is one."""
    with publish(MODELS) as folder:
        save_refiner(folder / "refiner.safetensors", refiner, spec.channels, params)
        if segmenter is not None:
            sizes = {"channels": spec.channels, "classes": len(spec.classes), "width": params.shift.width}
            save_segmenter(folder / "segmenter.safetensors", segmenter, sizes | {"followed": segmenter.followed})


def write_nothing() -> None:
    """The outputs of a run without simulated images: empty folders and tables."""
    for folder in (MODELS, PICTURES):
        with publish(folder):
            pass
    write_atomically(REPORTS / "stats.jsonl", b"")
    write_atomically(REPORTS / "metrics.json", b"{}")
