"""A placer on disk: placer.json with all params, and placer.safetensors with its network, where it has one."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stages.common.digests import tree_digest
from stages.common.paths import require
from stages.common.spec import DatasetSpec
from stages.common.weights import load_into, load_weights, save_weights
from stages.compose.context import ContextModel, ContextPlacer
from stages.compose.networks import Synthesizer
from stages.compose.params import ComposeParams
from stages.compose.placers import Place, place_in_turn, place_randomly

CONFIG, WEIGHTS = "placer.json", "placer.safetensors"


def save_placer(
    folder: Path, params: ComposeParams, spec: DatasetSpec, network: nn.Module | None, pasted: Iterable[Path]
) -> None:
    """Write what `load_placer` reads; network: of the placers that have one.

    pasted: what is pasted and on what. Their digest is part of the placer: what it makes changes with them.
    """
    sizes = {"channels": spec.channels, "classes": len(spec.classes), "pasted": tree_digest(pasted)}
    config = {"params": params.model_dump(mode="json"), **sizes}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
    if network is not None:
        save_weights(folder / WEIGHTS, network.state_dict(), {"placer": params.placer})


def load_placer(folder: Path, device: torch.device) -> tuple[Place, ComposeParams]:
    """What places objects, and the params of how they are pasted."""
    config: dict[str, Any] = json.loads(require(folder / CONFIG, "compose").read_text())
    params = ComposeParams.model_validate(config["params"])
    if params.placer == "random":
        return place_randomly, params
    tensors, _ = load_weights(folder / WEIGHTS)
    if params.placer == "context":
        model = ContextModel(config["channels"], config["classes"], params.context.width)
        return ContextPlacer(load_into(model, tensors).to(device), params), params  # type: ignore[arg-type]
    count = min(params.snapshots, params.steps)
    synthesizers = [Synthesizer(config["channels"], params.synthesizer) for _ in range(count)]
    load_into(nn.ModuleList(synthesizers), tensors).to(device)
    return place_in_turn(synthesizers), params
