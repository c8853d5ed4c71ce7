"""Refiner and segmenter on disk: safetensors with the params that build them."""

from pathlib import Path
from typing import Any

from stages.common.weights import load_into, load_weights, save_weights
from stages.refine.networks import Refiner
from stages.refine.params import RefineParams, RefinerParams, WarpParams
from stages.refine.segmenter import Segmenter


def save_refiner(path: Path, refiner: Refiner, channels: int, params: RefineParams) -> None:
    """Write a refiner."""
    parts = {"params": params.refiner.model_dump(mode="json"), "warp": params.warp.model_dump(mode="json")}
    save_weights(path, refiner.state_dict(), {"channels": channels, **parts})


def load_refiner(path: Path) -> Refiner:
    """The refiner of `save_refiner`, in evaluation mode, on the CPU."""
    tensors, config = load_weights(path)
    params, warp = RefinerParams.model_validate(config["params"]), WarpParams.model_validate(config["warp"])
    return load_into(Refiner(config["channels"], params, warp), tensors)  # type: ignore[return-value]


def save_segmenter(path: Path, segmenter: Segmenter, config: dict[str, Any]) -> None:
    """Write a segmenter; config: channels, classes, width."""
    save_weights(path, segmenter.state_dict(), config)


def load_segmenter(path: Path) -> Segmenter:
    """The segmenter of `save_segmenter`, in evaluation mode, on the CPU."""
    tensors, config = load_weights(path)
    return load_into(Segmenter(**config), tensors)  # type: ignore[return-value]
