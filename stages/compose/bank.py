"""Cut-outs and backgrounds from disk, ready to be pasted."""

from pathlib import Path

import numpy as np
import torch

from stages.common.errors import UserError
from stages.common.samples import read_set
from stages.common.tensors import ImageBank, to_images
from stages.compose.composer import Composer
from stages.compose.params import ComposeParams
from stages.compose.pasting import Objects


def read_composer(foregrounds: Path, backgrounds: Path, params: ComposeParams, device: torch.device) -> Composer:
    """What makes composites of both sets. Raises UserError when a cut-out has no opacity."""
    cutouts = read_set(foregrounds)
    if cutouts.alpha is None:
        raise UserError(f"{foregrounds}: a cut-out has no opacity; delete the folder and run `dvc repro prepare`")
    alpha = torch.from_numpy(cutouts.alpha.astype(np.float32) / 255)
    keypoints = None if cutouts.keypoints is None else torch.from_numpy(cutouts.keypoints).to(device)
    class_ids = torch.tensor(cutouts.require_class_ids()).to(device)
    objects = Objects.of(to_images(cutouts.images).to(device), alpha.to(device), class_ids, keypoints)
    return Composer(objects, ImageBank(read_set(backgrounds).images, device), params)
