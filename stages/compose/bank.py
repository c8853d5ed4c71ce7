"""Cut-outs and backgrounds from disk, ready to be pasted."""

from pathlib import Path

import torch

from stages.common.errors import UserError
from stages.common.samples import read_set
from stages.common.tensors import ImageBank
from stages.compose.composer import Composer
from stages.compose.cutouts import ObjectBank
from stages.compose.params import ComposeParams


def read_composer(foregrounds: Path, backgrounds: Path, params: ComposeParams, device: torch.device) -> Composer:
    """What makes composites of both sets. Raises UserError when a cut-out has no opacity."""
    cutouts = read_set(foregrounds)
    if cutouts.alpha is None:
        raise UserError(f"{foregrounds}: a cut-out has no opacity; delete the folder and run `dvc repro prepare`")
    labels = (None if label is None else torch.from_numpy(label) for label in (cutouts.keypoints, cutouts.depth))
    class_ids, alpha = torch.tensor(cutouts.require_class_ids()), torch.from_numpy(cutouts.alpha)
    objects = ObjectBank.of(ImageBank(cutouts.images, device), alpha, class_ids, *labels)
    return Composer(objects, ImageBank(read_set(backgrounds).images, device), params)
