"""Latents in, labelled images out: generator, folded ensemble and head together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.common.weights import load_into, load_weights
from stages.label.ensemble import Ensemble
from stages.label.factored import FoldedEnsemble, factored_bands, fold
from stages.label.features import label_features
from stages.label.heads import Head, head_from, label_size
from stages.label.votes import Labels
from stages.pretrain.generator import Generator

SCORE_SHARE = 0.1
AT_ONCE = 8  # latents to label together when there are many: their feature maps are in memory together


@dataclass(frozen=True)
class ImageLabels:
    """values: N labels, in the form of the head's. uncertainty: (N, H, W) float32 >= 0. scores: (N,) float32 >= 0, how
    uncertain the label of each image is."""

    values: Tensor
    uncertainty: Tensor
    scores: Tensor


@dataclass(frozen=True)
class LabelGenerator:
    """Labels what the generator draws. Subsets of the members make label generators of their own (`select`).

    annotator: who labelled drawn images for it, a person or an oracle; empty when it learned from real ones.
    """

    generator: Generator
    folded: FoldedEnsemble
    head: Head
    context: bool
    annotator: str = ""

    @torch.no_grad()
    def __call__(self, ws: Tensor, score_share: float = SCORE_SHARE) -> tuple[Tensor, ImageLabels]:
        """ws (N, num_ws, w_dim) -> images (N, C, H, W) in [-1, 1], N labels. score_share: as `Head.score` takes it."""
        images, maps = label_features(self.generator, ws, self.context, self.head.whole)
        labels = [self._label([m[i] for m in maps]) for i in range(len(ws))]
        values, uncertainty = (torch.stack([getattr(x, name) for x in labels]) for name in ("values", "uncertainty"))
        scores = self.head.score(Labels(values, uncertainty), score_share)
        return images.clamp(-1, 1), ImageLabels(self.head.finish(values), uncertainty, scores)

    def _label(self, maps: list[Tensor]) -> Labels:
        size = label_size(self.head, self.generator.size)
        bands = [self.head.combine(logits) for _, logits in factored_bands(self.folded, maps, size)]
        return Labels(torch.cat([b.values for b in bands]), torch.cat([b.uncertainty for b in bands]))


def select_members(ensemble: Ensemble, chosen: slice) -> FoldedEnsemble:
    """Some members of an ensemble, folded for inference."""
    folded = fold(ensemble)
    width = ensemble.hidden[0]
    columns = slice(chosen.start * width, chosen.stop * width)
    return FoldedEnsemble(
        folded.first[:, columns].contiguous(),
        folded.first_bias[columns],
        folded.second[chosen],
        folded.second_bias[chosen],
        folded.last[chosen],
        folded.last_bias[chosen],
    )


def ensemble_config(ensemble: Ensemble, head: Head, features: int, context: bool) -> dict[str, Any]:
    """What `load_ensemble` needs beside the weights."""
    return {
        "members": ensemble.members,
        "features": features,
        "hidden": list(ensemble.hidden),
        "outputs": ensemble.outputs,
        "context": context,
        "labels": head.kind,
        "head": head.config(),
    }


def load_label_generator(path: Path, generator: Generator) -> LabelGenerator:
    """The trained ensemble on the generator's device."""
    tensors, config = load_weights(path)
    ensemble = Ensemble(config["members"], config["features"], tuple(config["hidden"]), config["outputs"])
    load_into(ensemble, tensors)
    folded = fold(ensemble.to(generator.device))
    head = head_from(config["labels"], config["head"])
    return LabelGenerator(generator, folded, head, config["context"], config.get("annotator", ""))
